//! Keys that a server makes, taken from its answer: the rotator says where they stand, and does not see them.
//!
//! A rotator must not know what becomes the secret's new value. So places are granted, and a value is refused that the rotator could
//! have had put there: one that stands in what it has said, or that the secret has or had.

use std::sync::Arc;

use pawl_core::function::Place;
use pawl_core::limits;
use pawl_core::rotation::Step;
use pawl_core::value::SecretBytes;
use zeroize::Zeroizing;

use super::handles::{Held, Origin, SensitiveHeld};
use super::http::{Granted, from_port, from_secret, refused};
use super::values::Values;
use super::{Capabilities, Violation, journal};
use crate::http::Received;
use crate::http::echo::Echo;
use crate::port::Which;
use crate::wire::{Captured, HttpError, HttpPlace, HttpRequest};

type Answered<T> = Result<T, HttpError>;

impl Capabilities {
    pub(super) async fn capture(
        &mut self,
        request: HttpRequest,
        places: Vec<HttpPlace>,
    ) -> Result<Answered<Captured>, Violation> {
        let held = self.held(&request)?;
        let prepared = match self.may_capture(&request, places).await {
            Ok(places) => self.prepare(&request, &held, places),
            Err(error) => Err(error),
        };
        let (granted, request) = match prepared {
            Ok(prepared) => prepared,
            Err(error) => return Ok(Err(error)),
        };
        let values = match self.values().await {
            Ok(values) => values,
            Err(error) => return Ok(Err(from_secret(error))),
        };
        if self.config.rehearsal {
            self.would(&format!(
                "send {} {} and store a key of its answer",
                granted.method,
                granted.url.shown()
            ));
            return self.stand_ins(granted.takes.len());
        }
        let received = match self.exchange(&granted, request, (&held, &values), false).await {
            Ok((received, _)) => received,
            Err(error) => {
                if !matches!(&error, HttpError::NotGranted(_) | HttpError::Refused(_) | HttpError::Superseded)
                {
                    self.journal.note(&format!("no key was taken from {}: {error:?}", granted.url.shown()));
                }
                return Ok(Err(error));
            }
        };
        self.taken(&granted, received, &values).await
    }

    /// Checks what is asked for, and when.
    async fn may_capture(&mut self, request: &HttpRequest, places: Vec<HttpPlace>) -> Answered<Vec<Place>> {
        if self.config.step != Some(Step::CreateSecret) {
            return Err(refused(
                "a key is taken from an answer in createSecret: in another step it would be lost",
            ));
        }
        if request.whole {
            return Err(refused("the answer with the key in it is not shown: ask for its status"));
        }
        if places.is_empty() || places.len() > limits::HTTP_CAPTURES_MAX {
            let max = limits::HTTP_CAPTURES_MAX;
            return Err(refused(format!("keys are taken from 1 to {max} places of an answer")));
        }
        let parsed = places.into_iter().map(|place| {
            Place::try_from(match place {
                HttpPlace::Json(pointer) => format!("json:{pointer}"),
                HttpPlace::Header(name) => format!("header:{name}"),
            })
        });
        let places = parsed.collect::<Result<Vec<_>, _>>().map_err(refused)?;
        if self.document(Which::Pending).await.map_err(from_secret)?.is_some() {
            return Err(refused("the pending version has its value already: another key would be lost"));
        }
        Ok(places)
    }

    /// Notes that a server is about to be asked for a key, and whether it was in an earlier try.
    pub(super) async fn note_capture(&mut self, granted: &Granted) -> Answered<()> {
        let place = format!("{} {}", granted.method, granted.url.shown());
        let asked = format!("a key is asked for: {place}");
        let was_there = self.notice(&asked).await.map_err(from_port)?;
        if !self.requests.asked_for_keys.insert(asked) || !was_there {
            return Ok(());
        }
        let again = format!(
            "an earlier try of this step has asked for a key as well, and did not store it: unless the server knows the rotation's id as \
             an idempotency token and gives the same key again, it has one key more ({place}), which nobody holds"
        );
        self.notice(&again).await.map_err(from_port).map(drop)
    }

    /// Takes the keys from an answer; the end of the step where one is the rotator's own, or an old one.
    async fn taken(
        &mut self,
        granted: &Granted,
        received: Received,
        stored: &Values,
    ) -> Result<Answered<Captured>, Violation> {
        let status = received.status;
        if !(200..300).contains(&status) {
            return Ok(Ok(Captured { status, values: Vec::new() }));
        }
        let shown = granted.url.shown();
        let found = match found(received, &granted.takes) {
            Ok(found) => found,
            Err(why) => {
                let told = format!(
                    "the server may have made a key that nobody holds: its answer to {} {shown} {why}",
                    granted.method
                );
                return Ok(match self.notice(&told).await {
                    Ok(_) => Err(HttpError::Unreadable(status)),
                    Err(error) => Err(from_port(error)),
                });
            }
        };
        if let Some(why) = match self.is_known(&found, stored).await {
            Ok(known) => known,
            Err(error) => return Ok(Err(error)),
        } {
            return Err(Violation(journal::line(&format!(
                "the key in the answer to {} {shown} {why}",
                granted.method
            ))));
        }
        let mut values = Vec::with_capacity(found.len());
        for (value, place) in found.into_iter().zip(&granted.takes) {
            let what = journal::line(&format!("a key that the server has made ({place})"));
            let held = SensitiveHeld { value, origin: Origin::Captured, what };
            values.push(self.handles.insert(Held::Sensitive(Arc::new(held)))?);
        }
        Ok(Ok(Captured { status, values }))
    }

    /// Why one of the values is no new key, if one is not.
    async fn is_known(&mut self, found: &[SecretBytes], stored: &Values) -> Answered<Option<&'static str>> {
        let others = self.config.port.others().await.map_err(|error| from_port(self.noted(error)))?;
        let others = others.iter().filter_map(|it| pawl_core::document::Document::parse(&it.value).ok());
        let mut held: Vec<_> =
            others.flat_map(|document| super::values::values(&document).collect::<Vec<_>>()).collect();
        held.extend(stored.all());
        if found.iter().any(|value| held.iter().any(|known| known.same_as(value))) {
            return Ok(Some("is one that this secret has or had: it may be known to somebody"));
        }
        let echo = Echo::of(found, self.config.rng.as_ref());
        let said = std::mem::take(&mut self.requests.said);
        // Looking takes a while for a long text, and other rotations share this thread.
        let looked = tokio::task::spawn_blocking(move || (echo.is_in(&said), said)).await;
        let Ok((is_said, said)) = looked else {
            return Err(refused("what this step has said could not be looked through"));
        };
        self.requests.said = said;
        Ok(is_said.then_some("stands, whole or in part, in what the rotator has said in this step's requests: it may be known to its author"))
    }

    /// What a rehearsal has in the place of keys.
    fn stand_ins(&mut self, count: usize) -> Result<Answered<Captured>, Violation> {
        let mut values = Vec::with_capacity(count);
        for _ in 0..count {
            let mut random = Zeroizing::new([0; 32]);
            self.config.rng.fill(&mut *random);
            let value = SecretBytes::from(hex::encode(random.as_slice()));
            let held =
                SensitiveHeld { value, origin: Origin::Captured, what: "a rehearsal's key".to_owned() };
            values.push(self.handles.insert(Held::Sensitive(Arc::new(held)))?);
        }
        Ok(Ok(Captured { status: 200, values }))
    }
}

/// The texts at these places of an answer; what it lacks, in words that hold nothing of it.
fn found(received: Received, places: &[Place]) -> Result<Vec<SecretBytes>, String> {
    let Received { mut headers, body, .. } = received;
    let body = Zeroizing::new(body);
    let mut json: Option<serde_json::Value> = serde_json::from_str(&body).ok();
    places
        .iter()
        .map(|place| {
            let text = match place {
                Place::Header(name) => {
                    let mut found = headers.iter_mut().filter(|(found, _)| found == name);
                    // Of two nobody knows which is meant.
                    found.next().filter(|_| found.next().is_none()).map(|(_, value)| std::mem::take(value))
                }
                Place::Json(pointer) => match json
                    .as_mut()
                    .and_then(|json| json.pointer_mut(pointer))
                    .map(serde_json::Value::take)
                {
                    Some(serde_json::Value::String(text)) => Some(text),
                    _ => None,
                },
            };
            let value = SecretBytes::from(text.ok_or_else(|| format!("has no text at {place}"))?);
            if value.len() < limits::HTTP_CAPTURED_BYTES_MIN || value.len() > limits::HTTP_CAPTURED_BYTES_MAX
            {
                let (min, max) = (limits::HTTP_CAPTURED_BYTES_MIN, limits::HTTP_CAPTURED_BYTES_MAX);
                return Err(format!("has a text at {place} that is not of {min} to {max} bytes"));
            }
            Ok(value)
        })
        .collect()
}
