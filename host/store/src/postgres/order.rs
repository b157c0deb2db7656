//! Which statement lists in which order.

use super::sql::{
    LIST_ACCESSED_DOWN, LIST_ACCESSED_UP, LIST_CHANGED_DOWN, LIST_CHANGED_UP, LIST_CREATED_DOWN,
    LIST_CREATED_UP, LIST_NAME_DOWN, LIST_NAME_UP,
};
use crate::record::{Direction, Order, SortBy};

/// The statement that lists in this order.
pub(super) const fn list(order: Order) -> &'static str {
    match (order.by, order.direction) {
        (SortBy::Created, Direction::Ascending) => LIST_CREATED_UP,
        (SortBy::Created, Direction::Descending) => LIST_CREATED_DOWN,
        (SortBy::Name, Direction::Ascending) => LIST_NAME_UP,
        (SortBy::Name, Direction::Descending) => LIST_NAME_DOWN,
        (SortBy::LastChanged, Direction::Ascending) => LIST_CHANGED_UP,
        (SortBy::LastChanged, Direction::Descending) => LIST_CHANGED_DOWN,
        (SortBy::LastAccessed, Direction::Ascending) => LIST_ACCESSED_UP,
        (SortBy::LastAccessed, Direction::Descending) => LIST_ACCESSED_DOWN,
    }
}
