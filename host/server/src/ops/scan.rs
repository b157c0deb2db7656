//! Walks a region's secrets, page by page: what ListSecrets and BatchGetSecretValue with filters have in common.

use pawl_api::secrets_manager::shapes;
use pawl_core::filter::{FilterKey, Filters};
use pawl_core::limits;
use pawl_core::secret::Secret;
use pawl_store::{Cursor, ListQuery, Order};

use crate::error::AppError;
use crate::host::Host;
use crate::identity::Caller;

/// What is walked, and from where.
pub(super) struct Scan<'a> {
    pub(super) order: Order,
    pub(super) filters: &'a Filters,
    pub(super) include_deleted: bool,
    pub(super) after: Option<Cursor>,
    pub(super) size: usize,
}

/// Secrets that pass, and the place after which the next page begins.
pub(super) struct Page {
    pub(super) secrets: Vec<Secret>,
    pub(super) next: Option<Cursor>,
}

/// One page. It costs what it looks at, and that is bounded: when few secrets pass, a page may be short and still have a next one
/// (as ListSecrets documents of AWS).
pub(super) async fn scan(host: &Host, caller: &Caller, scan: Scan<'_>) -> Result<Page, AppError> {
    let Scan { order, filters, include_deleted, after, size } = scan;
    let (mut found, mut place): (Vec<(Cursor, Secret)>, _) = (Vec::new(), after);
    let mut budget = limits::LIST_ROWS_MAX;
    loop {
        let want = size.saturating_add(1).saturating_sub(found.len());
        let want = u32::try_from(want).unwrap_or(u32::MAX);
        let limit = if filters.is_empty() { want } else { limits::STORE_ROWS_MAX }.min(budget);
        let query =
            ListQuery { region: &caller.region, after: place.as_ref(), order, limit, include_deleted };
        let rows = host.app.list(caller, query).await?;
        let seen = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        let last = rows.last().map(|(cursor, _)| cursor.clone());
        let passing = rows
            .into_iter()
            .filter_map(|(cursor, secret)| Some((cursor, secret?)))
            .filter(|(_, s)| filters.matches(s));
        found.extend(passing);
        budget = budget.saturating_sub(seen);
        if found.len() > size {
            found.truncate(size);
            let next = found.last().map(|(cursor, _)| cursor.clone());
            return Ok(page(found, next));
        }
        if seen < limit.min(limits::STORE_ROWS_MAX) {
            return Ok(page(found, None));
        }
        if budget == 0 {
            return Ok(page(found, last));
        }
        place = last;
    }
}

fn page(found: Vec<(Cursor, Secret)>, next: Option<Cursor>) -> Page {
    Page { secrets: found.into_iter().map(|(_, secret)| secret).collect(), next }
}

/// Filters from the wire; the shape's check has seen to their keys.
pub(super) fn filters(filters: Option<&[shapes::Filter]>) -> Filters {
    Filters::parse(filters.unwrap_or_default().iter().filter_map(|filter| {
        let key = FilterKey::from_name(filter.key.as_deref()?)?;
        Some((key, filter.values.clone().unwrap_or_default()))
    }))
}
