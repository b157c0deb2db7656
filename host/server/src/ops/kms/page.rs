//! Pages of lists of keys and what is around them.

use pawl_api::kms::refusal;

use crate::error::AppError;
use crate::host::Host;

/// What a request says of the page that it wants.
pub(super) struct Page<'a> {
    /// Which list.
    pub(super) list: &'a str,
    /// How many entries, where the caller says so.
    pub(super) limit: Option<i64>,
    /// Where the page begins.
    pub(super) marker: Option<&'a str>,
    /// How many entries when the caller says nothing.
    pub(super) default: usize,
    /// How many at most.
    pub(super) most: usize,
}

impl Page<'_> {
    /// How many entries.
    ///
    /// # Errors
    /// When the caller wants more than the list gives.
    pub(super) fn size(&self) -> Result<usize, AppError> {
        let size = self.limit.map_or(Ok(self.default), usize::try_from).unwrap_or(self.most);
        if size > self.most {
            return Err(AppError::Api(refusal::page_too_long(self.most)));
        }
        Ok(size.max(1))
    }

    /// After which entry it begins; none for the first page.
    ///
    /// # Errors
    /// When the marker is not one that this list gave.
    pub(super) fn after(&self, host: &Host) -> Result<Option<String>, AppError> {
        let now = host.app.clock().now();
        let open = |marker| host.pages.open(self.list, marker, now);
        self.marker.map(open).transpose().map_err(|_| AppError::Api(refusal::invalid_marker()))
    }

    /// Cuts the page from one entry more than it has, if there are so many; the marker of the next page. `key` is what entries are
    /// sorted by.
    pub(super) fn cut<T>(
        &self,
        host: &Host,
        entries: &mut Vec<T>,
        key: impl Fn(&T) -> String,
    ) -> Result<Option<String>, AppError> {
        let size = self.size()?;
        if entries.len() <= size {
            return Ok(None);
        }
        entries.truncate(size);
        let now = host.app.clock().now();
        Ok(entries.last().and_then(|last| host.pages.seal(self.list, &key(last), now)))
    }
}
