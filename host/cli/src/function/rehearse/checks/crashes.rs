//! A crash in every gap: the host dies before the n-th thing that a step has it do, for every step and every n that there is.

use pawl_core::limits;
use pawl_core::rotation::{Outcome, Status, Step};
use pawl_runtime::port::Which;
use pawl_server::{Opens, Ran};

use super::{Checks, STEPS, Stop, notes};

impl Checks<'_, '_> {
    /// One rotation for each n: in each of its steps the host dies before the n-th call, another takes over, and runs the step.
    pub(super) async fn crashes(&mut self) -> Result<(), Stop> {
        let mut points = [0_u32; STEPS.len()];
        for call in 1..=limits::REHEARSAL_CRASHES_MAX {
            self.stage.rotate().await?;
            let mut died = false;
            for (step, points) in STEPS.into_iter().zip(&mut points) {
                if self.step_with_crash(step, call).await? {
                    died = true;
                    *points = call;
                }
            }
            let status = self.stage.status().await?;
            if status != Status::Succeeded {
                let why = format!("after a crash before call {call} of each step it is {}", status.name());
                return self.fail("a rotation with a crash in each step succeeds", vec![why]);
            }
            self.opens("AWSCURRENT opens the database after a rotation with crashes", Which::Current).await?;
            if !died {
                break;
            }
        }
        for (step, points) in STEPS.into_iter().zip(points) {
            self.report
                .ok(format!("{step} is completed after a crash at any of its {points} calls to the host"))?;
        }
        Ok(())
    }

    /// Whether the step has so many calls.
    async fn step_with_crash(&mut self, step: Step, call: u32) -> Result<bool, Stop> {
        let name = format!("{step} is completed after a crash before its call {call} to the host");
        let (ended, died) = match self.stage.run(step, Some(call)).await? {
            Ran::Ended(ended) => match &ended.outcome {
                Outcome::Done => (ended, false),
                // The target, not the crash: the step is run as a step that was not disturbed.
                Outcome::Transient(_) => (self.done(step, &name).await?, false),
                Outcome::Permanent(why) => return self.fail(&name, notes(why.clone(), &ended.log)),
                Outcome::Superseded => return self.fail(&name, vec!["it was superseded".to_owned()]),
            },
            Ran::Died => {
                self.stage.crash().await?;
                self.not_locked_out(&name).await?;
                (self.done(step, &name).await?, true)
            }
        };
        self.hear(&ended);
        self.stage.note(step, ended).await?;
        if step == Step::CreateSecret {
            self.leaks.keep(self.stage.stored(Which::Pending).await?);
        }
        Ok(died)
    }

    /// Whatever happened, one of the two versions that applications may hold opens the database.
    async fn not_locked_out(&mut self, name: &str) -> Result<(), Stop> {
        if !self.is_login || self.stage.opens(Which::Current).await? == Opens::Yes {
            return Ok(());
        }
        let pending = self.stage.stored(Which::Pending).await?.is_some();
        if pending && self.stage.opens(Which::Pending).await? == Opens::Yes {
            return Ok(());
        }
        self.fail(name, vec!["neither AWSCURRENT nor AWSPENDING opens the database now".to_owned()])
    }
}
