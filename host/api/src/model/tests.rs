//! What must hold of every table.

use super::{Kind, Structure};
use crate::Request;

fn every(structure: &'static Structure, with: &mut impl FnMut(&'static Structure)) {
    with(structure);
    for member in structure.members {
        below(&member.kind, with);
    }
}

fn below(kind: &'static Kind, with: &mut impl FnMut(&'static Structure)) {
    match kind {
        Kind::Structure(structure) => every(structure, with),
        Kind::List(list) => below(&list.element, with),
        Kind::Map(map) => below(&map.value, with),
        _ => {}
    }
}

#[test]
fn a_walk_has_a_bit_for_every_member_and_every_name_is_one_members() {
    let mut check = |structure: &'static Structure| {
        assert!(structure.members.len() <= 64, "{}", structure.name);
        for (n, member) in structure.members.iter().enumerate() {
            let same = structure.members.iter().skip(n + 1).any(|other| other.name == member.name);
            assert!(!same, "{} has {} twice", structure.name, member.name);
        }
    };
    for operation in crate::secrets_manager::model::ALL {
        every(&operation.request, &mut check);
        every(&operation.response, &mut check);
    }
    every(crate::pawl::DescribeRotationRequest::MODEL, &mut check);
    every(crate::pawl::AdvanceClockRequest::MODEL, &mut check);
}

#[test]
fn requests_have_neither_maps_nor_moments() {
    // The walk would check nothing of them.
    for operation in crate::secrets_manager::model::ALL {
        every(&operation.request, &mut |structure| {
            for member in structure.members {
                assert!(!matches!(member.kind, Kind::Map(_) | Kind::Timestamp), "{}", member.name);
            }
        });
    }
}
