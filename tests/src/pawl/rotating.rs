//! Rotations, asked for and waited for.

use std::time::Duration;

use serde_json::{Value, json};

use super::Pawl;
use crate::aws::{self, Signer};
use crate::wait::eventually;

impl Pawl {
    /// Asks for a rotation now; gives its token.
    ///
    /// # Panics
    /// When it is refused.
    pub fn rotate(&self, name: &str, function: &str) -> String {
        let token = aws::token();
        let body = json!({"SecretId": name, "RotationLambdaARN": function, "ClientRequestToken": token,
                          "RotationRules": {"AutomaticallyAfterDays": 30}});
        self.call("RotateSecret", body);
        token
    }

    /// Waits until a rotation has ended well: its version is the current one and nothing is pending.
    ///
    /// # Panics
    /// When it does not.
    pub fn await_rotation(&self, name: &str, token: &str, limit: Duration) {
        eventually(&format!("the rotation {token} of `{name}` ends well"), limit, || {
            (self.labels(name, token) == ["AWSCURRENT"]).then_some(())
        });
    }

    /// How the last rotation of a secret stands, in Pawl's own words (`DescribeRotation`).
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn rotation(&self, name: &str) -> Value {
        let request = self.request("Pawl.DescribeRotation", json!({"SecretId": name}).to_string().as_bytes());
        let signer = Signer { service: "pawl".to_owned(), ..self.signer() };
        let answer = signer.sign(request, aws::now()).send(self.address);
        assert!(answer.status == 200, "DescribeRotation answered {} {}", answer.status, answer.body);
        answer.json()
    }
}
