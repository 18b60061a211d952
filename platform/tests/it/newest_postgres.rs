//! The same on the newest PostgreSQL: tests of this program, run again beside a server of that version.

/// Each runs `migrate roles` and every migration on the way to its database.
const TESTS: [&str; 6] = [
    "backup::a_wiped_database_comes_back_with_its_webhooks_and_without_its_sessions",
    "backup::a_backup_is_verified_by_a_restore_and_both_moments_are_metrics",
    "backup::a_database_that_is_full_or_in_use_is_left_alone",
    "backup_rights::a_key_and_members_revoked_after_the_backup_stay_revoked_and_the_loss_is_counted",
    "migrate::a_process_killed_after_any_file_leaves_what_the_next_one_completes",
    "migrate::up_says_what_it_did_and_who_was_in_the_way_and_verify_finds_what_was_changed_by_hand",
];

#[test]
fn backups_restores_and_migrations_do_the_same_on_the_newest_postgresql() {
    testing::assert_on_newest_postgres(&TESTS);
}
