//! Pages of Lambda's lists.

use pawl_core::limits;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Request;
use crate::functions::FunctionError;

/// What a caller wants of a list: entries after a place, and how many.
pub(super) struct Wanted<P> {
    pub(super) after: Option<P>,
    pub(super) size: usize,
    list: String,
}

impl<P: Serialize + DeserializeOwned> Wanted<P> {
    /// What the query says. The list's name binds a marker to it.
    pub(super) fn of(request: &Request<'_>, list: String) -> Result<Self, FunctionError> {
        let parameters = request.parameters();
        let most = limits::FUNCTIONS_ASKED_MAX;
        let size = match parameters.one("MaxItems")? {
            None => limits::FUNCTIONS_PAGE_MAX,
            Some(text) => text
                .parse()
                .ok()
                .filter(|items| (1..=most).contains(items))
                .ok_or_else(|| FunctionError::malformed("maxItems", &format!("be from 1 to {most}")))?,
        };
        let size = usize::try_from(size.min(limits::FUNCTIONS_PAGE_MAX)).unwrap_or(usize::MAX);
        let now = request.host.app.clock().now();
        let opened = parameters.one("Marker")?.filter(|text| !text.is_empty()).map(|marker| {
            let wrong = |_| FunctionError::invalid("the Marker is not one that this list gave, not long ago");
            request.host.pages.open(&list, marker, now).map_err(wrong)
        });
        Ok(Self { after: opened.transpose()?, size, list })
    }

    /// One page of sorted entries, and the marker of the next one, when there are more.
    pub(super) fn cut<T>(
        &self,
        request: &Request<'_>,
        entries: impl IntoIterator<Item = (P, T)>,
    ) -> (Vec<T>, Option<String>)
    where
        P: PartialOrd,
    {
        let after = |place: &P| self.after.as_ref().is_none_or(|after| place > after);
        let mut rest = entries.into_iter().filter(|(place, _)| after(place));
        let (mut page, mut last) = (Vec::new(), None);
        for (place, entry) in rest.by_ref().take(self.size) {
            page.push(entry);
            last = Some(place);
        }
        let now = request.host.app.clock().now();
        let next = last.filter(|_| rest.next().is_some());
        (page, next.and_then(|place| request.host.pages.seal(&self.list, &place, now)))
    }
}
