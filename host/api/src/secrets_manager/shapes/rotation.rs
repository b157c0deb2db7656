//! Rotation: when, and by what.

use crate::shape::shapes;

shapes! {
    /// When a secret rotates.
    #[derive(Clone, PartialEq, Eq)]
    RotationRules {
        optional { automatically_after_days: i64, duration: String, schedule_expression: String, }
    }

    /// `RotateSecret` takes this.
    RotateSecretRequest {
        required { secret_id: String, }
        optional {
            client_request_token: String,
            #[serde(rename = "RotationLambdaARN")] rotation_lambda_arn: String,
            rotation_rules: RotationRules,
            external_secret_rotation_metadata: Vec<ExternalSecretRotationMetadataItem>,
            external_secret_rotation_role_arn: String,
            rotate_immediately: bool,
        }
    }

    /// `RotateSecret` and `CancelRotateSecret` answer this. The version is the one that the rotation makes; cancelling
    /// names one only when a rotation was on its way.
    RotateSecretResponse {
        required { #[serde(rename = "ARN")] arn: String, name: String, }
        optional { version_id: String, }
    }

    /// `CancelRotateSecret` takes this.
    CancelRotateSecretRequest {
        required { secret_id: String, }
    }

    /// What a service that manages a secret outside of AWS needs for a rotation.
    #[derive(Clone, PartialEq, Eq)]
    ExternalSecretRotationMetadataItem {
        optional { key: String, value: String, }
    }
}
