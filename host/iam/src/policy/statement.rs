//! One statement: whom, what and when it allows or denies.

use super::AccessRequest;
use super::action::{ActionName, ActionPattern};
use super::condition::{Condition, Truth};
use super::resource::ResourcePattern;
use super::who::{Grant, Who};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) sid: Option<Box<str>>,
    pub(super) effect: Effect,
    pub(super) who: Who,
    pub(super) actions: Selection<ActionPattern>,
    pub(super) resources: Selection<ResourcePattern>,
    pub(super) conditions: Box<[Condition]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Allow,
    Deny,
}

/// `Action` or `NotAction`, `Resource` or `NotResource`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Selection<T> {
    pub(super) items: Box<[T]>,
    /// All but these.
    pub(super) is_negated: bool,
}

impl<T> Selection<T> {
    fn has(&self, is: impl Fn(&T) -> bool) -> bool {
        self.items.iter().any(is) != self.is_negated
    }
}

impl Statement {
    /// How the statement names the caller, if it speaks of this request; whether it does is not to be told where a
    /// condition is not.
    pub(super) fn speaks_of(
        &self,
        request: &AccessRequest<'_>,
        asked: Option<ActionName<'_>>,
    ) -> (Truth, Grant) {
        let no = (Truth::No, Grant::Account);
        if !self.actions.has(|action| asked.is_some_and(|asked| action.matches(asked))) {
            return no;
        }
        let Some(grant) = self.who.names(request.principal) else {
            return no;
        };
        if !self.covers(request) {
            return no;
        }
        let mut holds = Truth::Yes;
        for condition in &self.conditions {
            holds = holds & condition.holds(request.context);
            if holds == Truth::No {
                return no;
            }
        }
        (holds, grant)
    }

    /// Whether what it says of a request depends on more than who, what and on what.
    pub(super) fn asks_context(&self) -> bool {
        !self.conditions.is_empty() || self.resources.items.iter().any(ResourcePattern::has_variables)
    }

    /// Whether the resource is one that it speaks of.
    pub(super) fn covers(&self, request: &AccessRequest<'_>) -> bool {
        self.resources.has(|resource| resource.matches(request.resource, request.context))
    }
}
