use bellwether::Labels;

const MOST: u8 = 9;

#[derive(Labels)]
struct Named {
    #[label(range = 0..=MOST)]
    shard: u8,
}

#[derive(Labels)]
struct Open {
    #[label(range = 0..)]
    shard: u8,
}

#[derive(Labels)]
struct Empty {
    #[label(range = 5..5)]
    shard: u8,
}

#[derive(Labels)]
struct TooWide {
    #[label(range = 0..=65_535)]
    shard: u16,
}

#[derive(Labels)]
struct OtherIsDeclared {
    #[label(range = -1..=9, other = "-1")]
    shard: i8,
}

fn main() {}
