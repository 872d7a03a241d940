//! The runtime that commands do their work on.

use crate::say::Failure;

/// Does the work of a command, on all processors.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed("the runtime cannot start", &error))?
        .block_on(work)
}
