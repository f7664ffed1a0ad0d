//! All buckets of one histogram, added up over its threads in memory that serves the next histogram.
//!
//! A [`HistogramSnapshot`](crate::snapshot::HistogramSnapshot) is made to be kept; this is made to be read once
//! and filled again, by a reader that looks at thousands of histograms.

use super::cell::{Dense, HistogramCell};
use crate::{snapshot::histogram::layout, sync::atomic::Ordering::Relaxed};

/// The buckets of a histogram that are not empty.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    sum: f64,
    /// One for each bucket that may occur, zero between two histograms.
    counts: Vec<u64>,
    /// Which buckets may hold something, in no order and some twice.
    touched: Vec<u32>,
    cells: Vec<(u64, u64)>, // Ascending; counts not zero.
}

impl Gathered {
    /// The bytes that it takes beside itself.
    pub(crate) fn weight(&self) -> usize {
        self.counts.capacity() * size_of::<u64>()
            + self.touched.capacity() * size_of::<u32>()
            + self.cells.capacity() * size_of::<(u64, u64)>()
    }

    /// Back to nothing.
    pub(crate) fn clear(&mut self) {
        self.sum = 0.0;
        self.cells.clear();
    }

    /// The sum of the values.
    pub(crate) fn sum(&self) -> f64 {
        self.sum
    }

    /// The number of each bucket and its count, ascending.
    pub(crate) fn cells(&self) -> &[(u64, u64)] {
        &self.cells
    }

    /// Adds what one table has of an exponential histogram. The sum first, for the reason that
    /// `HistogramCell::read_all` gives.
    pub(crate) fn add_exponential(&mut self, cell: &HistogramCell) {
        let (dense, log) = cell.parts();
        self.sum += dense.map_or(0.0, Dense::sum) + log.map_or(0.0, |log| log.sum());
        if let Some(dense) = dense {
            self.add(layout::ZERO as u32, dense.zero.load(Relaxed));
            self.add(layout::UNDERFLOW as u32, dense.underflow.load(Relaxed));
            self.add(layout::OVERFLOW as u32, dense.overflow.load(Relaxed));
            for octave in dense.octaves() {
                let first = layout::regular_cell(octave, 0) as u32;
                let counts = dense.cells(octave).into_iter().flatten();
                for (cell, count) in (first..).zip(counts) {
                    self.add(cell, count.load(Relaxed));
                }
            }
        }
        if let Some(log) = log {
            log.buckets().for_each(|cell| self.add(cell as u32, 1));
        }
    }

    pub(super) fn add_sum(&mut self, sum: f64) {
        self.sum += sum;
    }

    #[inline]
    pub(super) fn add(&mut self, cell: u32, count: u64) {
        if count == 0 {
            return;
        }
        let place = cell as usize;
        if place >= self.counts.len() {
            self.counts.resize(place + 1, 0);
        }
        self.counts[place] = self.counts[place].wrapping_add(count);
        self.touched.push(cell);
    }

    /// Puts the buckets in order, when all tables are in.
    pub(crate) fn finish(&mut self) {
        self.touched.sort_unstable();
        for &cell in &self.touched {
            let count = std::mem::take(&mut self.counts[cell as usize]);
            if count != 0 {
                self.cells.push((cell.into(), count));
            }
        }
        self.touched.clear();
    }
}
