//! `first_cause` chooses the error that a pool returns if several of its slots failed. Called by `threads`, `async_worker` and
//! `pool_state`; pure.

use crate::model::error::{ErrorKind, Result};

/// Returns the first error that is not [`ErrorKind::Closed`]: that the file is closed follows from another error.
pub(super) fn first_cause(ended: impl IntoIterator<Item = Result<()>>) -> Result<()> {
    let errors: Vec<_> = ended.into_iter().filter_map(Result::err).collect();
    let cause = errors.iter().position(|error| error.kind() != ErrorKind::Closed).unwrap_or(0);
    errors.into_iter().nth(cause).map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::error::Error;

    #[test]
    fn pool_reports_the_error_that_caused_the_others() {
        let closed = || Err(Error::closed());
        let error =
            first_cause([Ok(()), closed(), Err(Error::invalid("the cause")), closed()]).map_err(|error| error.kind());
        assert_eq!(error, Err(ErrorKind::Invalid));
        assert_eq!(first_cause([Ok(()), closed()]).map_err(|error| error.kind()), Err(ErrorKind::Closed));
        assert!(first_cause([Ok(()), Ok(())]).is_ok());
    }
}
