//! The frames of a batch that goes to disk, cut.

use proptest::prelude::*;

use super::{
    delivery::{Encoded, Load},
    outflow::Frames,
};

/// A frame of these records, each of one byte.
fn frame(records: &[u8]) -> Encoded {
    Encoded::of(records.iter().map(|byte| [*byte]).collect(), records.len())
}

/// The records of all frames, none of which miscounts.
fn read(frames: &Frames) -> Vec<u8> {
    for frame in &frames.0 {
        assert!(frame.check::<Frames>().is_ok());
    }
    let records = frames.0.iter().flat_map(|frame| frame.payload.bytes().to_vec());
    let records: Vec<_> = records.collect();
    assert_eq!(records.len(), frames.len());
    records
}

proptest! {
    #[test]
    fn cutting_frames_matches_naive(
        frames in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..5), 0..5),
        n in 0usize..20,
    ) {
        let whole = Frames(frames.iter().map(|records| frame(records)).collect());
        let all = frames.concat();
        prop_assert_eq!(read(&whole), all.clone());
        let (first, rest) = (whole.first(n), whole.skip(n));
        prop_assert_eq!(read(&first), all.iter().copied().take(n).collect::<Vec<_>>());
        prop_assert_eq!(read(&rest), all.iter().copied().skip(n).collect::<Vec<_>>());
        let has_empty = |frames: &Frames| frames.0.iter().any(|frame| frame.len() == 0);
        prop_assert!(!has_empty(&first) && !has_empty(&rest));
    }
}
