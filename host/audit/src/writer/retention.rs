//! What was kept for long enough.

use std::time::Instant;

use pawl_core::limits;

use super::Writer;
use crate::note::{Note, moment};
use crate::place::{Segment, day, segments};

impl Writer {
    /// Deletes segments that were kept for long enough: first the line that says so, then they.
    pub(super) fn retire_old(&mut self) {
        let Some(days) = self.options.retention_days else { return };
        if self.looked_for_old.is_some_and(|at| at.elapsed() < limits::AUDIT_RETENTION_EVERY) {
            return;
        }
        self.looked_for_old = Some(Instant::now());
        let oldest_kept = day(self.now().plus_days(-i64::from(days)));
        let old = match segments(&self.dir) {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, "old segments of the audit log cannot be looked for");
                return;
            }
        };
        let current = self.head.segment;
        let is_old = |segment: &Segment| segment.number < current && segment.day < oldest_kept;
        let old: Vec<Segment> = old.into_iter().take_while(is_old).collect();
        let Some(last) = old.last() else { return };
        let note = Note::Retired { through: last.number, at: moment(self.now()), days };
        if let Err(error) = self.write_notes(&[note]) {
            return self.fail(&error);
        }
        for segment in &old {
            if let Err(error) = std::fs::remove_file(&segment.path) {
                tracing::warn!(%error, path = %segment.path.display(), "an old segment stays");
            }
        }
        tracing::info!(segments = old.len(), days, "old segments of the audit log were deleted");
    }
}
