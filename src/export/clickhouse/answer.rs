//! What ClickHouse says of an insert.

use crate::{
    pipeline::{ExportError, SendResult},
    transport::http_client::HttpAnswer,
};

/// Exceptions that pass by themselves, by their numbers in ClickHouse's `ErrorCodes.cpp`.
const PASSING: [u32; 25] = [
    3,   // UNEXPECTED_END_OF_FILE: the body was cut off.
    159, // TIMEOUT_EXCEEDED
    160, // TOO_SLOW
    201, // QUOTA_EXCEEDED
    202, // TOO_MANY_SIMULTANEOUS_QUERIES
    203, // NO_FREE_CONNECTION
    209, // SOCKET_TIMEOUT
    210, // NETWORK_ERROR
    225, // NO_ZOOKEEPER
    236, // ABORTED
    241, // MEMORY_LIMIT_EXCEEDED
    242, // TABLE_IS_READ_ONLY
    243, // NOT_ENOUGH_SPACE
    244, // UNEXPECTED_ZOOKEEPER_ERROR
    252, // TOO_MANY_PARTS
    279, // ALL_CONNECTION_TRIES_FAILED
    285, // TOO_FEW_LIVE_REPLICAS
    286, // UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE
    319, // UNKNOWN_STATUS_OF_INSERT
    394, // QUERY_WAS_CANCELLED
    439, // CANNOT_SCHEDULE_TASK
    473, // DEADLOCK_AVOIDED
    499, // S3_ERROR
    745, // SERVER_OVERLOADED
    999, // KEEPER_EXCEPTION
];

/// What `answer` means for what was sent. An exception may come behind a 200 that had been sent before.
pub(super) fn judge(answer: &HttpAnswer, place: &str) -> SendResult {
    let exception = exception(answer);
    match exception {
        None => answer.settle(place, |status| status == 429 || status >= 500),
        Some(code) if answer.is_success() => {
            let body = String::from_utf8_lossy(answer.body());
            let text =
                format_args!("{place} answered {} with an exception: {body}", answer.status());
            Err(match PASSING.contains(&code) {
                true => ExportError::retry(text),
                false => ExportError::reject(text),
            })
        }
        Some(code) => {
            answer.settle(place, |status| status == 429 || status == 503 || PASSING.contains(&code))
        }
    }
}

/// The number of the exception, by its header, or by the body of an older server.
fn exception(answer: &HttpAnswer) -> Option<u32> {
    let by_header = answer.header("x-clickhouse-exception-code");
    let code = match by_header {
        Some(code) => code.trim().parse().ok()?,
        None => {
            let body = String::from_utf8_lossy(answer.body());
            let (before, _) = body.split_once(". DB::Exception")?;
            before.rsplit_once("Code: ")?.1.parse().ok()?
        }
    };
    (code != 0).then_some(code)
}
