//! `ingress`: which routes exist and who may call them.

use launchgate_trust::PushIdentity;

use super::{findings::Findings, later, node::Member, scalar, section::Section};
use crate::{Ingress, PushAuth, Route};

pub(super) const KEYS: &[&str] = &["events", "builds", "runs", "deadletters", "sweep"];
pub(super) const ROUTE_KEYS: &[&str] = &["auth", "audience", "email", "subscription", "replayAttribute"];

pub(super) fn read(member: &Member, findings: &mut Findings) -> Ingress {
    let Some(section) = Section::open("ingress", KEYS, &member.value, &member.key_at, findings) else {
        return Ingress::default();
    };
    later::refuse(section.get("deadletters"), "the route", findings);
    Ingress {
        events: section.get("events").and_then(|it| route(it, "ingress.events", true, findings)),
        builds: section.get("builds").and_then(|it| route(it, "ingress.builds", true, findings)),
        runs: section.get("runs").and_then(|it| route(it, "ingress.runs", true, findings)),
        sweep: section.get("sweep").and_then(|it| route(it, "ingress.sweep", false, findings)),
    }
}

fn route(member: &Member, name: &'static str, pushed: bool, findings: &mut Findings) -> Option<Route> {
    let section = Section::open(name, ROUTE_KEYS, &member.value, &member.key_at, findings)?;
    let auth = section.need("auth", "write `auth: oidc`, or `auth: none` for this machine only", findings)?;
    let email = section
        .get("email")
        .map(|it| scalar::ruled(it, "bad-email", "a service account's e-mail", is_email, findings));
    let audience = section.get("audience").map(|it| scalar::text(it, findings));
    let rule = "projects/PROJECT/subscriptions/NAME";
    let is_subscription = |text: &str| scalar::is_resource(text, "subscriptions");
    let subscription = section
        .get("subscription")
        .map(|it| scalar::ruled(it, "bad-subscription", rule, is_subscription, findings));
    later::neutral_bool(section.get("replayAttribute"), false, findings);
    let auth_word = scalar::choice(auth, &["oidc", "none", "cloudRunIam"], findings)?;
    let given = subscription.flatten().map(str::to_owned);
    match auth_word {
        "none" => Some(Route { auth: PushAuth::None, subscription: given }),
        "cloudRunIam" => {
            let message = "`auth: cloudRunIam` is not supported by this version";
            findings
                .error(later::CODE, &auth.value.at, message)
                .fix("write `auth: oidc`, with Cloud Run's own check off");
            None
        }
        _ => {
            let audience_given =
                section.need("audience", "add the audience of the push subscription", findings).is_some();
            let email_given =
                section.need("email", "add the push subscription's service account", findings).is_some();
            let fix = "add the one subscription that may push here";
            let subscription_given = !pushed || section.need("subscription", fix, findings).is_some();
            if !(audience_given && email_given && subscription_given) {
                return None;
            }
            let identity =
                PushIdentity { audience: audience.flatten()?.to_owned(), email: email.flatten()?.to_owned() };
            Some(Route { auth: PushAuth::Oidc(identity), subscription: given })
        }
    }
}

fn is_email(text: &str) -> bool {
    let Some((name, domain)) = text.split_once('@') else { return false };
    !name.is_empty() && domain.contains('.') && !domain.contains('@') && !text.contains(char::is_whitespace)
}
