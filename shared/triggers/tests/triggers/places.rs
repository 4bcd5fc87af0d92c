//! Where a trigger's jobs run and as whom they are asked for.

use launchgate_triggers::{DecideOptions, LaunchPlan, Overrides, decide, load};
use serde_json::{Value, json};

use crate::{
    an_event::{an_event, published},
    the_file::{Folder, YAML, config, edited},
};

fn plan(file: &str) -> LaunchPlan {
    let config = config(file);
    let decisions = decide(&config, &an_event().verified(&config), published(), DecideOptions::default());
    decisions.decisions[0].verdict.plan().unwrap_or_else(|| panic!("{decisions:#?}")).clone()
}

fn root(plan: &LaunchPlan) -> Value {
    let body: Value = serde_json::from_str(&plan.request().body).unwrap();
    body["runtimeConfig"]["gcsOutputDirectory"].clone()
}

#[test]
fn a_trigger_without_a_place_of_its_own_has_the_files() {
    let plan = plan(YAML);

    assert_eq!((plan.project(), plan.location(), plan.impersonate()), ("acme-ml", "us-central1", None));
}

#[test]
fn a_trigger_says_otherwise_member_by_member() {
    let account = "launcher@acme-research.iam.gserviceaccount.com";
    let whole = format!(
        "vertex: {{ project: acme-research, location: europe-west4, pipelineRoot: gs://research/root, impersonate: {account} }}"
    );
    let elsewhere = plan(&edited("mode: enforce", &whole));
    let region_only = plan(&edited("mode: enforce", "vertex: { location: europe-west4 }"));

    assert_eq!((elsewhere.project(), elsewhere.location()), ("acme-research", "europe-west4"));
    assert_eq!(elsewhere.impersonate(), Some(account));
    assert_eq!(root(&elsewhere), "gs://research/root");
    assert_eq!(elsewhere.request().path, "/v1/projects/acme-research/locations/europe-west4/pipelineJobs");
    assert_eq!((region_only.project(), region_only.location()), ("acme-ml", "europe-west4"));
    assert_eq!(root(&region_only), "gs://acme-pipelines/root");
}

#[test]
fn the_files_account_holds_where_a_trigger_names_none() {
    let of_file = "callTimeout: 20s\n  impersonate: launcher@acme-ml.iam.gserviceaccount.com";
    let file = edited("callTimeout: 20s", of_file);
    let own = file.replace("mode: enforce", "vertex: { impersonate: other@acme-ml.iam.gserviceaccount.com }");

    assert_eq!(plan(&file).impersonate(), Some("launcher@acme-ml.iam.gserviceaccount.com"));
    assert_eq!(plan(&own).impersonate(), Some("other@acme-ml.iam.gserviceaccount.com"));
    let config = config(&own);
    let accounts: Vec<_> = config.impersonated_accounts().into_iter().collect();
    assert_eq!(accounts, ["other@acme-ml.iam.gserviceaccount.com"]);
    assert!(!config.launches_as_itself());
}

#[test]
fn a_variable_names_the_files_account() {
    let account = "staging@acme-ml.iam.gserviceaccount.com";
    let variable = ("LAUNCHGATE_VERTEX_IMPERSONATE".to_owned(), account.to_owned());
    let overrides = Overrides::from_vars([variable]);

    let loaded = load("launchgate.yaml", YAML, &Folder::new(), &overrides);

    assert_eq!(loaded.config.unwrap().vertex.impersonate.as_deref(), Some(account));
}

#[test]
fn a_plan_keeps_its_account_and_one_recorded_before_there_was_a_choice_is_read() {
    let account = "launcher@acme-ml.iam.gserviceaccount.com";
    let with = plan(&edited("mode: enforce", &format!("vertex: {{ impersonate: {account} }}")));
    let kept = serde_json::to_value(&with).unwrap();
    assert_eq!(kept["impersonate"], json!(account));
    assert_eq!(serde_json::from_value::<LaunchPlan>(kept).unwrap(), with);

    let without = serde_json::to_value(plan(YAML)).unwrap();
    assert!(without.get("impersonate").is_none(), "as it was recorded before");
    assert_eq!(serde_json::from_value::<LaunchPlan>(without).unwrap().impersonate(), None);
}
