//! Asking the gate about one event, as a job of its build.
//!
//! Promises: the job's token goes to https or loopback only and follows no redirect; a token that has grown old is
//! minted again. Does not: decide what the answer means for the step.

use std::time::{Duration, Instant};

use launchgate_google::Endpoint;
use launchgate_statement::EventId;
use reqwest::{Client, Url, redirect};
use serde_json::Value;

use crate::{failure::Failure, keyless::Keyless, output::line, told_event::ToldEvent};

const TIMEOUT: Duration = Duration::from_secs(25);

/// Characters shown of what stands in an answer.
const SHOWN: usize = 300;

/// One gate, asked about one event.
pub(crate) struct Asking {
    url: Url,
    client: Client,
    agent: Keyless,
    event: EventId,
    /// A token and until when it is young.
    token: Option<(String, Instant)>,
    /// Whether the last answer was 401: one may be of a token that grew old on the way.
    refused: bool,
}

/// What the gate said.
pub(crate) enum Answer {
    /// This of the event, with the answer as it came.
    Told(ToldEvent, Value),
    /// No such event is recorded, or it is of another build.
    NotThere,
    /// Nothing for now, and why.
    Later(String),
}

impl Asking {
    pub(crate) fn new(gate: &str, event: EventId, agent: Keyless) -> Result<Self, Failure> {
        let endpoint =
            Endpoint::parse(gate).map_err(|problem| Failure::usage(format!("--gate-url: {problem}")))?;
        let mut url = Url::parse(endpoint.as_str())
            .map_err(|error| Failure::usage(format!("--gate-url `{gate}`: {error}")))?;
        url.path_segments_mut()
            .map_err(|()| Failure::usage(format!("--gate-url `{gate}`: expected https://HOST")))?
            .pop_if_empty()
            .extend(["v1", "events", event.as_str()]);
        let builder = Client::builder()
            .user_agent(concat!("launchgate/", env!("CARGO_PKG_VERSION")))
            // The token would travel with it.
            .redirect(redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .timeout(TIMEOUT);
        let builder = if endpoint.is_tls() { builder.https_only(true) } else { builder.tls_certs_only([]) };
        let client = builder.build().map_err(anyhow::Error::from)?;
        Ok(Self { url, client, agent, event, token: None, refused: false })
    }

    /// Asks once.
    pub(crate) async fn once(&mut self) -> Result<Answer, Failure> {
        let token = match self.token().await {
            Ok(token) => token,
            Err(Failure::Transient(why)) => return Ok(Answer::Later(why)),
            Err(failure) => return Err(failure),
        };
        let asked = self.client.get(self.url.clone()).bearer_auth(token).send().await;
        let response = match asked {
            Ok(response) => response,
            Err(error) => {
                return Ok(Answer::Later(format!("{} does not answer: {}", self.url, causes(&error))));
            }
        };
        let status = response.status().as_u16();
        let body = match response.bytes().await {
            Ok(body) => body,
            Err(error) => return Ok(Answer::Later(format!("the answer was cut off: {}", causes(&error)))),
        };
        let value: Option<Value> = serde_json::from_slice(&body).ok();
        let said = value.as_ref().and_then(|value| value["error"].as_str());
        let said = said.map(|said| line(&said.chars().take(SHOWN).collect::<String>()));
        let was_refused = std::mem::replace(&mut self.refused, status == 401);
        match (status, value, said) {
            (200, Some(value), _) => match serde_json::from_value(value.clone()) {
                Ok(told) => Ok(Answer::Told(told, value)),
                Err(error) => {
                    Err(Failure::usage(format!("{} answered something else than a gate: {error}", self.url)))
                }
            },
            (404, _, Some(_)) => Ok(Answer::NotThere),
            (404, _, None) => Err(Failure::usage(format!(
                "{} answers no questions about events: a gate does when its triggers file has a `buildkiteOidc` \
                 signer, by whose rules it tells jobs apart; is --gate-url the gate's address?",
                self.url
            ))),
            (401, _, said) if !was_refused => {
                self.token = None;
                Ok(Answer::Later(format!("the gate did not take the token: {}", said.unwrap_or_default())))
            }
            (401, _, said) => Err(Failure::usage(format!(
                "the gate does not take this job's token ({}); compare --audience with the triggers file's \
                 service.audience, and the signer's pins with this pipeline",
                said.unwrap_or_else(|| "without saying why".to_owned())
            ))),
            (403, ..) => Err(Failure::usage(format!(
                "{} answers 403: what stands before the gate (Cloud Run's invoker check, a proxy) lets no job through",
                self.url
            ))),
            (408 | 429 | 500..=599, _, said) => {
                Ok(Answer::Later(format!("the gate answers {status} {}", said.unwrap_or_default())))
            }
            (status, ..) => {
                Err(Failure::usage(format!("{} answers {status}; is it the gate's address?", self.url)))
            }
        }
    }

    async fn token(&mut self) -> Result<String, Failure> {
        if let Some((token, young_until)) = &self.token
            && Instant::now() < *young_until
        {
            return Ok(token.clone());
        }
        let asked_at = Instant::now();
        let (token, young_for) = self.agent.asking_about(&self.event).await?;
        self.token = Some((token.clone(), asked_at + young_for));
        Ok(token)
    }
}

/// The innermost cause; the outer ones repeat the address.
fn causes(error: &reqwest::Error) -> String {
    let mut inner: &dyn std::error::Error = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    line(&inner.to_string())
}
