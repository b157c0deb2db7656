//! Makes the requests that its environment names, one a line in `ASK`: `METHOD URL`, and `whole` for all of the answer. Each carries
//! the current key, and those that are not GET the new one in their body. What comes back it tells to everybody.

use pawl_guest::http::{Request, Text};
use pawl_guest::{Failure, Rotation, Rotator, Rules, configuration, export, log};

struct Asks;

impl Rotator for Asks {
    fn create(rotation: &Rotation) -> Result<(), Failure> {
        rotation.create_pending(|current| {
            Ok(current.with("api_key", rotation.random_password(&Rules::default())?))
        })
    }

    fn set(rotation: &Rotation) -> Result<(), Failure> {
        let (old, new) =
            (rotation.current()?.sensitive("api_key")?, rotation.pending()?.sensitive("api_key")?);
        for line in configuration("ASK").unwrap_or_default().lines() {
            let mut words = line.split(' ');
            let (method, url) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let mut request = Request::new(method, url).bearer(&old);
            if method != "GET" {
                request = request.json(Text::from("{\"key\": \"").json(&new).text("\"}"));
            }
            if words.next() == Some("whole") {
                let answer = request.send()?;
                log!("answered: {answer:?}");
            } else {
                log!("answered: {}", request.status()?);
            }
        }
        Ok(())
    }

    fn test(_: &Rotation) -> Result<(), Failure> {
        Ok(())
    }
}

export!(Asks);
