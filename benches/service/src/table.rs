//! The tables that are printed: one for each work.

use crate::{BARE, OURS, Subject};

/// What a subject took for each time, and lost.
#[derive(Clone, Copy)]
pub struct Figures {
    /// Nanoseconds on the calling thread.
    pub wall: f64,
    /// Nanoseconds of CPU, of all threads.
    pub cpu: f64,
    /// Records of a thousand requests that never arrived.
    pub lost: f64,
}

impl Figures {
    /// What is replaced by the first round.
    pub const NONE: Self = Self { wall: f64::INFINITY, cpu: f64::INFINITY, lost: 0.0 };

    /// The least of each time, and the most of what was lost.
    pub fn best(self, other: Self) -> Self {
        Self {
            wall: self.wall.min(other.wall),
            cpu: self.cpu.min(other.cpu),
            lost: self.lost.max(other.lost),
        }
    }
}

type Row<'a> = (&'a Subject, Figures);

pub fn print(rows: &[Row<'_>]) {
    for work in rows.chunk_by(|a, b| a.0.work == b.0.work) {
        println!("\n{}\n", work[0].0.work);
        match work.iter().find(|row| row.0.name == BARE) {
            Some(bare) => print_added(work, bare.1.cpu),
            None => print_plain(work),
        }
    }
}

fn print_plain(rows: &[Row<'_>]) {
    println!("| | ns on the calling thread | ns of CPU, all threads |\n|---|---:|---:|");
    for (subject, Figures { wall, cpu, .. }) in rows {
        println!("| {} | {wall:.1} | {cpu:.1} |", subject.name);
    }
}

/// With the CPU that each adds to what the work takes without telemetry, and the ratio of ours to the best
/// of the others.
fn print_added(rows: &[Row<'_>], bare: f64) {
    println!("| | ns on the calling thread | ns of CPU, all threads | added | lost per 1,000 |");
    println!("|---|---:|---:|---:|---:|");
    for (subject, Figures { wall, cpu, lost }) in rows {
        let added = cpu - bare;
        println!("| {} | {wall:.0} | {cpu:.0} | {added:.0} | {lost:.1} |", subject.name);
    }
    let ours = rows.iter().find(|row| row.0.name == OURS);
    let others = rows.iter().filter(|row| row.0.name != BARE && !row.0.name.starts_with(OURS));
    let best = others.min_by(|a, b| a.1.cpu.total_cmp(&b.1.cpu));
    if let (Some(ours), Some((best, figures))) = (ours, best) {
        let (ours, others) = (ours.1.cpu - bare, figures.cpu - bare);
        let ratio = ours / others;
        println!(
            "\n{OURS} adds {ours:.0} ns of CPU, {ratio:.2} x the {others:.0} ns of the best other, {}",
            best.name
        );
    }
}
