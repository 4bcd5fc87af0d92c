//! The port's promises as tests that any ledger can be put to: implement `Factory`, then
//! `conformance!(TheFactory)`.

pub(crate) mod admission;
pub(crate) mod artifacts;
pub(crate) mod builds;
pub(crate) mod claims;
pub(crate) mod commands;
pub(crate) mod conditions;
pub(crate) mod listing;
pub(crate) mod near_misses;
pub(crate) mod redecision;
pub(crate) mod runs;

use launchgate_engine::{Claim, Claimed, Redecided, ports::Ledger};
use launchgate_triggers::LaunchId;

use crate::a;

/// Makes an empty ledger, and can close and open it again.
pub(crate) trait Factory {
    type Ledger: Ledger;
    fn fresh() -> Self;
    fn ledger(&self) -> &Self::Ledger;
    /// Closes it as a process that ends does, and opens it again.
    fn reopen(&mut self);
}

/// Claims what must be free.
pub(crate) async fn hold(ledger: &impl Ledger, launch_id: &LaunchId) -> Claimed {
    match ledger.claim(launch_id, a::LEASE).await.unwrap() {
        Claim::Held(claimed) => *claimed,
        other => panic!("expected the claim to be held, found {other:?}"),
    }
}

/// What a redecision wrote, by launch id.
pub(crate) fn ids(redecided: &Redecided) -> Vec<LaunchId> {
    redecided.written.iter().map(|decision| decision.launch_id.clone()).collect()
}

/// Lists the rules once, as tests on `$factory`.
macro_rules! conformance {
    ($factory:ty) => {
        $crate::suite::conformance! { @tests $factory;
            admission: two_deliveries_at_once_are_one_event, a_known_event_keeps_what_is_recorded,
                everything_of_an_event_is_given_back_as_it_was, an_event_without_decisions_is_no_match,
                a_repeated_admission_is_known_and_its_claims_stand, open_decisions_with_a_plan_are_claimed, no_more_are_claimed_than_asked_for,
                what_was_answered_is_there_after_a_restart, rejected_bodies_are_cut_and_other_bodies_dropped,
                a_rejected_copy_does_not_touch_the_event, a_decision_of_another_event_spoils_no_neighbour;
            artifacts: what_waits_for_its_artifact_is_due_at_once_by_its_rule,
                an_admission_claims_nothing_that_waits_for_its_artifact, looking_leaves_nothing_unanswered,
                what_was_seen_begins_the_intent_under_the_same_claim, a_call_after_a_look_may_be_unanswered,
                a_holder_that_was_overtaken_cannot_say_what_it_saw,
                a_lease_that_ran_out_unnoticed_is_still_the_holders,
                what_was_seen_and_the_denial_are_one_record, what_could_not_be_answered_waits_for_its_delay,
                what_no_longer_waits_for_facts_may_wait_for_its_artifact,
                a_build_that_was_overtaken_while_it_was_looked_at_is_superseded;
            builds: the_newest_word_on_a_build_is_kept_whatever_the_order, facts_are_told_apart_by_the_builds_id,
                a_build_is_unheeded_until_its_newest_word_is_heeded, who_waits_is_found_until_it_is_decided,
                a_decision_that_waits_is_due_at_its_end_and_not_before,
                a_claim_on_what_waits_begins_no_intent, what_waits_on_keeps_its_end,
                facts_survive_a_restart, of_many_deliveries_at_once_one_word_is_kept;
            claims: a_live_lease_keeps_others_out, a_lease_that_ran_out_is_taken_over_under_the_next_fence,
                of_many_claimants_one_holds_it, a_holder_that_was_overtaken_cannot_record,
                the_same_record_again_is_yes_and_written_once, another_record_under_a_spent_fence_is_lost,
                a_retry_waits_for_its_delay, what_is_launched_is_settled, first_intent_stays,
                an_unanswered_call_is_told_to_the_next_holder, a_refused_call_leaves_nothing_unanswered,
                an_end_without_a_call_keeps_an_older_unanswered_one,
                the_longest_due_come_first, failures_are_told_once, the_newest_fifty_attempts_are_kept,
                a_mark_that_rides_is_durable_after_a_flush, a_mark_that_rides_needs_no_company,
                a_mark_that_rides_survives_an_orderly_end, unknown_launches_are_settled_and_not_recorded;
            conditions: of_many_at_once_one_holds_a_key, a_key_names_its_holder_and_the_run,
                a_key_is_free_when_its_holder_ends_without_a_run, a_key_stays_with_a_run_and_with_one_that_may_be,
                decisions_of_one_event_ask_each_other, an_ended_decision_takes_no_claim_from_the_next,
                what_waits_holds_no_key_until_it_is_launchable, a_redecision_asks_again, our_own_write_again_is_no_rival,
                a_forced_replay_passes_a_key_and_holds_none, an_older_build_is_superseded_by_a_launched_one,
                what_was_never_sent_is_superseded_at_its_claim, what_may_have_been_sent_is_not_superseded,
                a_forced_replay_passes_the_order_and_counts_for_it, of_many_at_once_as_many_as_allowed_are_intents,
                runs_and_open_intents_count_and_nothing_else, a_forced_replay_passes_the_limit_and_counts,
                the_first_condition_that_is_not_met_ends_it;
            redecision: new_decisions_are_added_due_and_unclaimed, what_is_not_recorded_is_added_only_if_asked,
                a_run_of_another_ordinal_is_left_alone_if_asked, a_replaced_decision_is_kept_in_history,
                what_may_not_be_replaced_is_left_alone, a_reason_narrows_what_is_replaced,
                signers_are_added_once, the_old_holder_cannot_write_into_the_new_decision,
                asking_again_writes_nothing, an_unanswered_call_outlives_a_replacement,
                an_unknown_event_is_an_error;
            runs: a_run_is_followed_from_its_launch_to_its_end, an_end_stays_whatever_is_seen_later,
                a_run_is_due_when_it_was_said_and_taken_once, a_lease_that_ran_out_makes_a_run_due_again,
                what_is_followed_survives_a_restart;
            commands: commands_are_open_until_done, the_same_command_again_is_one_while_open,
                the_first_result_stays;
            listing: newest_first_with_rejections_and_without_duplicates, pages_stay_put_while_rows_come_in,
                filters_hold_together, every_outcome_is_found_by_its_filter, a_foreign_cursor_is_an_error,
                ready_and_flush_answer;
            near_misses: each_event_counts_once_for_a_trigger_and_clause, a_copy_of_an_event_counts_nothing,
                every_clause_comes_back_after_a_restart;
        }
    };
    (@tests $factory:ty; $($module:ident: $($rule:ident),+;)*) => {$(
        mod $module {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $rule() {
                    let mut place = <$factory as $crate::suite::Factory>::fresh();
                    $crate::suite::$module::$rule(&mut place).await;
                }
            )+
        }
    )*};
}

pub(crate) use conformance;
