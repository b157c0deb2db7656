//! Guests that want more than they get: each is stopped, and told why in plain words.

use std::time::Duration;

use pawl_core::limits;
use pawl_core::rotation::{Outcome, Step};
use pawl_runtime::{Component, StepLimits, StepReport};

use super::Test;
use super::stage::{Stage, block, permanent, postgres, program};

pub(crate) const TESTS: &[Test] = &[
    ("sandbox::a_guest_that_does_nothing_ends_well", a_guest_that_does_nothing_ends_well),
    ("sandbox::a_loop_without_end_is_out_of_processor_time", a_loop_without_end_is_out_of_processor_time),
    ("sandbox::a_loop_at_start_is_out_of_processor_time", a_loop_at_start_is_out_of_processor_time),
    ("sandbox::fuel_ends_what_time_would_not_yet", fuel_ends_what_time_would_not_yet),
    ("sandbox::too_much_memory_is_not_granted", too_much_memory_is_not_granted),
    ("sandbox::too_much_memory_at_the_start_is_not_granted", too_much_memory_at_the_start_is_not_granted),
    (
        "sandbox::recursion_overflows_the_stack_of_the_guest_only",
        recursion_overflows_the_stack_of_the_guest_only,
    ),
    ("sandbox::too_many_bytes_in_one_call_are_not_copied", too_many_bytes_in_one_call_are_not_copied),
    ("sandbox::too_many_calls_are_not_made", too_many_calls_are_not_made),
    ("sandbox::a_handle_index_that_is_not_the_guests_traps", a_handle_index_that_is_not_the_guests_traps),
    (
        "sandbox::a_small_component_that_is_large_to_compile_takes_no_host_with_it",
        a_small_component_that_is_large_to_compile_takes_no_host_with_it,
    ),
    (
        "sandbox::the_wall_clock_ends_what_has_processor_time_left",
        the_wall_clock_ends_what_has_processor_time_left,
    ),
    (
        "sandbox::a_stopped_guest_leaves_nothing_to_the_next_step",
        a_stopped_guest_leaves_nothing_to_the_next_step,
    ),
];

/// A rotator of four equal steps, by hand: what a compiler would not write.
///
/// `pages` of memory, a `start` function, and the body of the steps, which has the rotation's handle in local 0.
pub(crate) fn guest(pages: u32, start: &str, step: &str) -> Component {
    let text = format!(
        r#"(component
  (import "pawl:rotation/secrets@0.1.0" (instance $secrets (export "rotation" (type (sub resource)))))
  (import "pawl:rotation/log@0.1.0" (instance $log
    (type $level' (enum "debug" "info" "warn"))
    (export "level" (type $level (eq $level')))
    (export "write" (func (param "level" $level) (param "message" string)))))
  (alias export $secrets "rotation" (type $rotation))
  (core module $memory (memory (export "memory") {pages}))
  (core instance $memory (instantiate $memory))
  (core func $write (canon lower (func $log "write") (memory $memory "memory")))
  (core func $drop (canon resource.drop $rotation))
  (core module $code
    (import "host" "memory" (memory 0))
    (import "host" "write" (func $write (param i32 i32 i32)))
    (import "host" "drop" (func $drop (param i32)))
    (func $start {start})
    (start $start)
    (func $recurse (param i32) (result i32)
      (i32.add (call $recurse (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))
    (func (export "step") (param i32) (result i32) {step}
      (call $drop (local.get 0))
      (i32.const 0)))
  (core instance $code (instantiate $code (with "host" (instance
    (export "memory" (memory $memory "memory"))
    (export "write" (func $write))
    (export "drop" (func $drop))))))
  (type $failure (variant (case "transient" string) (case "permanent" string)))
  (func $step (param "rotation" (borrow $rotation)) (result (result (error $failure)))
    (canon lift (core func $code "step") (memory $memory "memory")))
  (component $steps
    (import "rotation" (type $rotation (sub resource)))
    (type $failure' (variant (case "transient" string) (case "permanent" string)))
    (import "failure" (type $failure (eq $failure')))
    (import "step" (func $step (param "rotation" (borrow $rotation)) (result (result (error $failure)))))
    (export $out-rotation "rotation" (type $rotation))
    (export $out-failure "failure" (type $failure'))
    (type $step-type (func (param "rotation" (borrow $out-rotation)) (result (result (error $out-failure)))))
    (export "create-secret" (func $step) (func (type $step-type)))
    (export "set-secret" (func $step) (func (type $step-type)))
    (export "test-secret" (func $step) (func (type $step-type)))
    (export "finish-secret" (func $step) (func (type $step-type))))
  (instance $steps (instantiate $steps
    (with "rotation" (type $rotation)) (with "failure" (type $failure)) (with "step" (func $step))))
  (export "pawl:rotation/steps@0.1.0" (instance $steps)))"#
    );
    Component::new(wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}")))
}

fn run_with(limits: StepLimits, component: &Component) -> StepReport {
    let stage = Stage::with(program(), limits);
    block(stage.run(component, Step::CreateSecret))
}

fn run(component: &Component) -> StepReport {
    // So much that it is never what stops a guest whose test is about another limit, on however slow a machine.
    run_with(StepLimits { cpu: Duration::from_secs(60), ..StepLimits::default() }, component)
}

#[track_caller]
fn stopped(component: &Component, why: &str) {
    let report = run(component);
    assert_eq!(permanent(&report), format!("the rotator {why}"), "{:?}", report.log);
}

const SPIN: &str = "(loop (br 0))";

fn a_guest_that_does_nothing_ends_well() {
    assert_eq!(run(&guest(1, "", "")).outcome, Outcome::Done);
}

#[track_caller]
fn out_of_processor_time(component: &Component) {
    let limits = StepLimits { cpu: Duration::from_millis(200), ..StepLimits::default() };
    let report = run_with(limits, component);
    assert_eq!(permanent(&report), "the rotator used more than 200 ms of processor time");
}

fn a_loop_without_end_is_out_of_processor_time() {
    out_of_processor_time(&guest(1, "", SPIN));
}

fn a_loop_at_start_is_out_of_processor_time() {
    out_of_processor_time(&guest(1, SPIN, ""));
}

fn the_wall_clock_ends_what_has_processor_time_left() {
    let limits = StepLimits { wall: Duration::from_millis(100), ..StepLimits::default() };
    assert_eq!(permanent(&run_with(limits, &guest(1, "", SPIN))), "the rotator did not end within 0.1 s");
}

/// A component of a kilobyte that stands for 2^25 instances.
fn a_small_component_that_is_large_to_compile_takes_no_host_with_it() {
    let doubled = |level: u32| {
        format!(
            "(component $c{level} (alias outer 1 $c{} (component $x)) (instance (instantiate $x)) (instance (instantiate $x)))",
            level - 1
        )
    };
    let levels: String = (1..=25).map(doubled).collect();
    let text = format!(
        "(component (component $c0 (core module $m) (core instance (instantiate $m))) {levels} (instance (instantiate $c25)))"
    );
    let bomb = Component::new(wat::parse_str(&text).unwrap());
    assert!(bomb.bytes().len() < 2_000);
    let stage = Stage::new();
    block(async {
        let error = stage.runtime.prepare(&bomb).await.unwrap_err().to_string();
        assert!(error.contains("makes more than 1000 instances"), "{error}");
        let error = stage.runtime.prepare(&nested_types(100_000)).await.unwrap_err().to_string();
        let seconds = limits::COMPILE_CPU_SECONDS;
        let told = format!("takes more than 2500 MB, {seconds} s of processor time or the compiler's stack");
        assert!(error.contains(&told), "{error}");
        assert_eq!(stage.run(&postgres(), Step::CreateSecret).await.outcome, Outcome::Done);
    });
}

/// A component of types within types, which whoever reads them recursively has no stack for.
fn nested_types(levels: usize) -> Component {
    // It looks like a rotator until it is compiled.
    let text = r#"(component (instance $steps) (export "pawl:rotation/steps@0.1.0" (instance $steps)))"#;
    let mut bytes = wat::parse_str(text).unwrap();
    // A section of types, with one. Each level declares one type, an instance's, and the last declares none.
    let body = [vec![1], [0x42, 1, 1].repeat(levels), vec![0x42, 0]].concat();
    bytes.push(7);
    let mut length = body.len();
    while length >= 0x80 {
        bytes.push(0x80 | u8::try_from(length & 0x7f).unwrap());
        length >>= 7;
    }
    bytes.push(u8::try_from(length).unwrap());
    Component::new([bytes, body].concat())
}

fn fuel_ends_what_time_would_not_yet() {
    let report = run_with(StepLimits { fuel: 1_000_000, ..StepLimits::default() }, &guest(1, "", SPIN));
    assert_eq!(permanent(&report), "the rotator ran out of fuel");
}

fn too_much_memory_is_not_granted() {
    let grow = "(if (i32.eq (memory.grow (i32.const 2000)) (i32.const -1)) (then unreachable))";
    stopped(&guest(1, "", grow), "used more than 64 MiB of memory");
    // To be refused is no crime: who goes on without, goes on.
    assert_eq!(run(&guest(1, "", "(drop (memory.grow (i32.const 2000)))")).outcome, Outcome::Done);
}

fn too_much_memory_at_the_start_is_not_granted() {
    stopped(&guest(1025, "", ""), "used more than 64 MiB of memory");
    assert_eq!(run(&guest(1024, "", "")).outcome, Outcome::Done);
}

fn recursion_overflows_the_stack_of_the_guest_only() {
    stopped(&guest(1, "", "(drop (call $recurse (i32.const 0)))"), "overflowed its stack");
}

fn too_many_bytes_in_one_call_are_not_copied() {
    let long = "(call $write (i32.const 1) (i32.const 0) (i32.const 2000000))";
    stopped(&guest(40, "", long), "passed more than 1 MiB to the host in one call");
}

fn too_many_calls_are_not_made() {
    let calls = "(loop (call $write (i32.const 1) (i32.const 0) (i32.const 1)) (br 0))";
    stopped(&guest(1, "", calls), "called the host more than 10000 times");
}

fn a_handle_index_that_is_not_the_guests_traps() {
    let report = run(&guest(1, "", "(call $drop (i32.const 4711))"));
    assert!(permanent(&report).contains("unknown handle index 4711"), "{report:?}");
}

fn a_stopped_guest_leaves_nothing_to_the_next_step() {
    let stage = Stage::new();
    block(async {
        let crash = guest(1, "", "unreachable");
        assert_eq!(permanent(&stage.run(&crash, Step::CreateSecret).await), "the rotator aborted");
        assert_eq!(stage.runtime.idle_workers(), [] as [u32; 0], "the worker of a guest that broke was kept");
        assert_eq!(stage.run(&postgres(), Step::CreateSecret).await.outcome, Outcome::Done);
    });
}
