//! Which weakness is shown to be absent where.

use pawl_tests::artifacts::repository;

struct Weakness {
    number: usize,
    what: &'static str,
    /// Files, and the tests in them.
    tests: &'static [(&'static str, &'static str)],
    /// The part of it that no server here can show, and why.
    elsewhere: &'static str,
}

const HERE: &str = "tests/it/weaknesses.rs";
const ALTERNATING_TESTS: &str = "tests/it/alternating_postgres.rs";
const DRIVER: &str = "host/runtime/tests/postgres.rs";
const ACCOUNTS: &str = "host/runtime/tests/mariadb_accounts.rs";
const ROLES: &str = "host/runtime/tests/postgres/alternating.rs";

const WEAKNESSES: [Weakness; 20] = [
    Weakness {
        number: 1,
        what: "the password stands in clear in the statement, and so in the server's log",
        tests: &[
            (HERE, "weakness_01_no_password_in_any_log"),
            (DRIVER, "a_new_password_is_accepted_and_the_old_refused_and_no_log_has_either"),
            ("tests/it/canary.rs", "no_secret_is_found_where_none_belongs"),
        ],
        elsewhere: "",
    },
    Weakness {
        number: 2,
        what: "AWSCURRENT is dead between the change of the password and the end of the rotation",
        tests: &[(HERE, "weakness_02_whoever_reads_awscurrent_logs_in_at_every_moment")],
        elsewhere: "a single user has no second password on PostgreSQL: the gap is shown in the rotation's history",
    },
    Weakness {
        number: 3,
        what: "AWSPENDING taken away from a half-done rotation locks the account out for good",
        tests: &[(HERE, "weakness_03_a_half_done_rotation_whose_label_is_taken_away_locks_nobody_out")],
        elsewhere: "",
    },
    Weakness {
        number: 4,
        what: "of two rotations at once the older one's change can land last",
        tests: &[
            (HERE, "weakness_04_a_rotation_that_is_superseded_changes_nothing_any_more"),
            (DRIVER, "a_change_is_final_only_after_the_last_word_and_silence_takes_it_back"),
        ],
        elsewhere: "",
    },
    Weakness {
        number: 5,
        what: "a second try after a half-done one promotes a user without its grants",
        tests: &[
            (HERE, "weakness_05_a_try_that_broke_off_leaves_nothing_and_the_next_makes_all"),
            (ACCOUNTS, "weakness_5_a_broken_off_copy_is_completed_and_never_usable_half_way"),
        ],
        elsewhere: "",
    },
    Weakness {
        number: 6,
        what: "grants, ownership, attributes and settings are copied once, in part or not at all",
        tests: &[
            (HERE, "weakness_06_an_alternate_is_what_the_owner_is_at_every_turn"),
            (
                ALTERNATING_TESTS,
                "an_application_works_through_two_full_turns_and_reads_what_it_made_under_either_name",
            ),
            (
                ALTERNATING_TESTS,
                "what_the_clone_has_of_its_own_stops_the_rotation_before_anything_has_changed",
            ),
            (ROLES, "what_is_made_under_either_name_belongs_to_one_role"),
            (ROLES, "what_no_membership_carries_is_taken_from_the_owner_at_each_turn"),
            (ROLES, "a_clone_of_another_tool_is_repaired_or_refused_in_words_that_say_what_to_do"),
            (ROLES, "what_the_alternate_was_given_by_hand_is_told_before_it_is_lost"),
            (ACCOUNTS, "weakness_6_grant_option_is_kept"),
            (ACCOUNTS, "weakness_6_roles_with_their_admin_option_and_the_default_role_are_kept"),
            (ACCOUNTS, "weakness_6_hostile_names_and_every_scope_are_copied"),
            (ACCOUNTS, "weakness_6_a_revoked_right_is_revoked_from_the_other_user_and_does_not_come_back"),
            (ACCOUNTS, "weakness_6_conditions_of_the_login_are_copied"),
        ],
        elsewhere: "Oracle and SQL Server: Pawl has no rotators for them",
    },
    Weakness {
        number: 7,
        what: "only the host part `%` of a user is known",
        tests: &[(ACCOUNTS, "weakness_7_every_host_of_the_user_is_copied_and_all_change_together")],
        elsewhere: "PostgreSQL's roles have no host part",
    },
    Weakness {
        number: 8,
        what: "a TLS failure leads to a login in clear",
        tests: &[
            (HERE, "weakness_08_no_login_without_tls_unless_the_secret_says_so"),
            (DRIVER, "no_peer_gets_the_password_by_asking"),
            (DRIVER, "tls_is_verified_and_only_inside_of_it_may_a_server_ask_for_the_password_in_clear"),
        ],
        elsewhere: "",
    },
    Weakness {
        number: 9,
        what: "every rotation makes at least one failed login",
        tests: &[(HERE, "weakness_09_a_rotation_makes_no_failed_login")],
        elsewhere: "",
    },
    Weakness {
        number: 10,
        what: "every failure to connect gives the same message",
        tests: &[
            (HERE, "weakness_10_each_reason_has_its_own_words"),
            (DRIVER, "every_login_that_fails_says_why"),
        ],
        elsewhere: "",
    },
    Weakness {
        number: 11,
        what: "a replica's host is rotated on the replica, without a word that says so",
        tests: &[(HERE, "weakness_11_a_replica_is_named_as_the_reason")],
        elsewhere: "",
    },
    Weakness {
        number: 12,
        what: "the master's server is compared by its host's text alone",
        tests: &[(HERE, "weakness_12_a_master_of_another_port_is_not_logged_in_with")],
        elsewhere: "",
    },
    Weakness {
        number: 13,
        what: "open sessions survive a rotation",
        tests: &[(HERE, "weakness_13_open_sessions_survive_which_is_wanted")],
        elsewhere: "wanted: an application must not lose its work. Whoever fears a stolen session ends it by pg_terminate_backend",
    },
    Weakness {
        number: 14,
        what: "AWSPREVIOUS is logged in with before anybody looks whose it is",
        tests: &[(HERE, "weakness_14_a_previous_version_of_another_user_is_not_tried")],
        elsewhere: "",
    },
    Weakness {
        number: 15,
        what: "a password that the database rejects is tried for ever",
        tests: &[(HERE, "weakness_15_a_rejection_ends_the_rotation_and_a_person_may_have_another_password")],
        elsewhere: "PostgreSQL's policies see a verifier and reject none; the rejection here is of a right that the master lacks",
    },
    Weakness {
        number: 16,
        what: "whoever can write a secret steers the function by `masterarn`",
        tests: &[(
            HERE,
            "weakness_16_a_secret_cannot_point_at_any_master_nor_use_one_without_a_login_of_its_own",
        )],
        elsewhere: "",
    },
    Weakness {
        number: 17,
        what: "three or four logins for each rotation",
        tests: &[(HERE, "weakness_17_two_logins_for_one_user_and_three_for_two")],
        elsewhere: "",
    },
    Weakness {
        number: 18,
        what: "finishSecret trusts that testSecret has passed",
        tests: &[
            ("host/runtime/src/capability/tests.rs", "nothing_is_promoted_that_the_host_has_not_seen_log_in"),
            ("host/runtime/src/capability/tests.rs", "privileges_are_proved_by_finding_no_difference"),
        ],
        elsewhere: "",
    },
    Weakness {
        number: 19,
        what: "passwords are spliced into statements and connection strings",
        tests: &[
            (HERE, "weakness_19_a_password_is_a_password_whatever_is_in_it"),
            (DRIVER, "a_hostile_name_changes_its_own_role_and_nothing_else"),
            (ROLES, "hostile_names_are_names"),
        ],
        elsewhere: "the functions that splice are those of Oracle and Db2, for which Pawl has no rotators",
    },
    Weakness {
        number: 20,
        what: "a user without the right to change its own password cannot rotate",
        tests: &[(HERE, "weakness_20_a_user_that_may_not_change_its_password_has_it_changed_by_the_master")],
        elsewhere: "",
    },
];

#[test]
fn every_weakness_has_a_test_or_a_reason_and_no_test_is_only_named() {
    let numbers: Vec<_> = WEAKNESSES.iter().map(|weakness| weakness.number).collect();
    assert_eq!(numbers, (1..=20).collect::<Vec<_>>());
    for weakness in &WEAKNESSES {
        let Weakness { number, what, tests, elsewhere } = weakness;
        assert!(!tests.is_empty() || !elsewhere.is_empty(), "nothing shows number {number}: {what}");
        for (file, name) in *tests {
            let text = std::fs::read_to_string(repository().join(file))
                .unwrap_or_else(|why| panic!("{file}: {why}"));
            assert!(text.contains(&format!("fn {name}(")), "number {number}: {file} has no test `{name}`");
        }
        let own = format!("fn weakness_{number:02}_");
        let listed =
            tests.iter().filter(|(file, name)| *file == HERE && format!("fn {name}").starts_with(&own));
        let here = std::fs::read_to_string(repository().join(HERE)).unwrap();
        assert_eq!(
            here.lines().filter(|line| line.starts_with(&own)).count(),
            listed.count(),
            "number {number}"
        );
    }
}
