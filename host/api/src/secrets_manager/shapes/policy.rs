//! Resource policies.

use crate::shape::shapes;

shapes! {
    /// `GetResourcePolicy` takes this.
    GetResourcePolicyRequest {
        required { secret_id: String, }
        optional { policy_name: String, }
    }

    /// `GetResourcePolicy` answers this; no policy when there is none.
    GetResourcePolicyResponse {
        required { #[serde(rename = "ARN")] arn: String, name: String, }
        optional { resource_policy: String, policy_name: String, }
    }

    /// `PutResourcePolicy` takes this.
    PutResourcePolicyRequest {
        required { secret_id: String, resource_policy: String, }
        optional { policy_name: String, block_public_policy: bool, }
    }

    /// `DeleteResourcePolicy` takes this.
    DeleteResourcePolicyRequest {
        required { secret_id: String, }
        optional { policy_name: String, }
    }

    /// `PutResourcePolicy` and `DeleteResourcePolicy` answer this.
    PolicyOfSecretResponse {
        required { #[serde(rename = "ARN")] arn: String, name: String, }
        optional { policy_name: String, }
    }

    /// `ListResourcePolicies` takes this.
    ListResourcePoliciesRequest {
        required { secret_id: String, }
        optional { max_results: i64, next_token: String, }
    }

    /// `ListResourcePolicies` answers this.
    ListResourcePoliciesResponse {
        required { resource_policies: Vec<ResourcePolicySummary>, }
        optional { next_token: String, }
    }

    /// One policy of a list.
    #[derive(Clone, PartialEq, Eq)]
    ResourcePolicySummary {
        optional { policy_name: String, }
    }

    /// `ValidateResourcePolicy` takes this.
    ValidateResourcePolicyRequest {
        required { resource_policy: String, }
        optional { secret_id: String, }
    }

    /// `ValidateResourcePolicy` answers this.
    ValidateResourcePolicyResponse {
        required { policy_validation_passed: bool, validation_errors: Vec<ValidationErrorsEntry>, }
    }

    /// What is wrong with a policy.
    #[derive(Clone, PartialEq, Eq)]
    ValidationErrorsEntry {
        optional { check_name: String, error_message: String, }
    }
}
