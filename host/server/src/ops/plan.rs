//! The rotations to come.

use pawl_api::pawl::{
    PlanRotationsRequest, PlanRotationsResponse, PlanWarning, PlannedRotation, PlannedSecret,
};
use pawl_core::filter::Filters;
use pawl_core::limits;
use pawl_core::secret::{Planned, Secret};
use pawl_core::world::Timestamp;
use pawl_store::{Direction, Order, SortBy};

use super::rotation::{Named, find};
use super::scan::{Scan, scan};
use super::{Answer, page};
use crate::error::AppError;
use crate::functions::FindError;
use crate::host::Host;
use crate::identity::Caller;

const BY_NAME: Order = Order { by: SortBy::Name, direction: Direction::Ascending };

/// `Pawl.PlanRotations`: for whoever may list secrets, who sees as much of them there.
pub(super) async fn plan_rotations(
    host: &Host,
    caller: &Caller,
    input: PlanRotationsRequest,
) -> Answer<PlanRotationsRequest> {
    let now = host.app.clock().now();
    let days = input.days.unwrap_or_else(|| i64::from(limits::PLAN_DAYS_DEFAULT));
    let until = now.plus_days(days);
    // A token is of use for this very list only.
    let list = format!("PlanRotations:{}", caller.region);
    let after = input.next_token.as_deref().map(|token| host.pages.open(&list, token, now)).transpose()?;
    let size = page::size(input.max_results);
    let every = Filters::default();
    // A page of all secrets: those without a schedule leave it short, and it costs the same whatever they are.
    let walk = Scan { order: BY_NAME, filters: &every, include_deleted: false, after, size };
    let found = scan(host, caller, walk).await?;
    let mut secrets = Vec::new();
    for secret in &found.secrets {
        secrets.extend(planned(host, secret, now, until).await?);
    }
    Ok(PlanRotationsResponse {
        now: now.into(),
        until: until.into(),
        secrets,
        next_token: found.next.and_then(|place| host.pages.seal(&list, &place, now)),
    })
}

/// None for a secret that no schedule is meant to rotate.
async fn planned(
    host: &Host,
    secret: &Secret,
    now: Timestamp,
    until: Timestamp,
) -> Result<Option<PlannedSecret>, AppError> {
    let config = secret.rotation_config.as_deref().filter(|_| !secret.is_replica());
    let Some(config) = config.filter(|config| config.schedule.is_some()) else { return Ok(None) };
    let warning = |code: &str, message: String| PlanWarning { code: code.to_owned(), message };
    let mut warnings: Vec<PlanWarning> =
        secret.plan_warnings(now).iter().map(|said| warning(said.name(), said.to_string())).collect();
    if let Some(named) = Named::of(secret, None).filter(|_| config.enabled) {
        let function = &config.function;
        let said = match find(host, &named).await {
            Ok(_) => None,
            Err(FindError::Store(error)) => return Err(error.into()),
            Err(error @ FindError::NotApproved { .. }) => Some(("FunctionNotApproved", error.to_string())),
            Err(FindError::NotPermitted(_)) => Some((
                "FunctionNotPermitted",
                format!(
                    "no policy on its function {function} lets secretsmanager.amazonaws.com invoke it, so its rotations cannot \
                     begin; add a permission"
                ),
            )),
            Err(FindError::NoFunction(_) | FindError::NoVersion(_) | FindError::NoCode(_)) => Some((
                "FunctionMissing",
                format!("its function {function} is not there, so its rotations cannot begin"),
            )),
        };
        warnings.extend(said.map(|(code, message)| warning(code, message)));
    }
    Ok(Some(PlannedSecret {
        arn: secret.arn.to_string(),
        name: secret.name.to_string(),
        rotation_enabled: config.enabled,
        rotations: secret.planned(until).take(limits::PLAN_ROTATIONS_MAX).map(rotation).collect(),
        warnings,
        function_arn: Some(config.function.to_string()),
        group: secret.placing().group,
    }))
}

fn rotation(planned: Planned) -> PlannedRotation {
    PlannedRotation {
        date: planned.at.into(),
        window_opens: planned.window.opens.into(),
        window_closes: planned.window.closes.into(),
        made_up: planned.made_up.then_some(true),
        clipped: (!planned.fits).then_some(true),
    }
}
