//! The table that checks KMS's requests, against AWS's own model as the installed botocore has it.

use pawl_api::kms::{Operation, model};

use crate::model::Comparison;

#[test]
fn the_table_of_kms_is_what_aws_publishes() {
    let mut comparison = Comparison::new(crate::model::aws("kms"));
    for operation in Operation::ALL {
        let name = operation.name();
        let shape = comparison.input(name);
        assert!(shape.is_some(), "{name} is not in AWS's model");
        comparison.structure(&format!("{name} request"), shape.as_deref(), model::of(*operation));
    }
    comparison.must_agree(80);
}
