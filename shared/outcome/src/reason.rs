//! Why: the stable reason codes, each with its outcome, its meaning and what to do.

use std::fmt;

use crate::Outcome;

/// Declares the enum and its tables in one place, so that a code without documentation cannot exist.
macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $code:literal in $outcome:ident : $meaning:literal, fix $fix:literal;)*) => {
        /// A stable `snake_case` code that says why an outcome came about.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        #[allow(clippy::doc_markdown, reason = "the meanings are prose for docs/reasons.md too")]
        pub enum Reason { $(#[doc = $meaning] $variant,)* }

        impl Reason {
            /// Every reason, in the order of `docs/reasons.md`.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable code.
            pub fn as_str(self) -> &'static str { match self { $(Self::$variant => $code,)* } }

            /// The outcome this reason belongs to.
            pub fn outcome(self) -> Outcome { match self { $(Self::$variant => Outcome::$outcome,)* } }

            /// What it means, one or two sentences.
            pub fn meaning(self) -> &'static str { match self { $(Self::$variant => $meaning,)* } }

            /// What to do about it.
            pub fn fix(self) -> &'static str { match self { $(Self::$variant => $fix,)* } }
        }
    };
}

reasons! {
    // -- the sender of a delivery -------------------------------------------------------------
    TokenMissing = "token_missing" in RejectedAuth: "The push request carries no bearer token, or more than one Authorization header.", fix "Give the push subscription `--push-auth-service-account` and the audience of `ingress.events`.";
    TokenMalformed = "token_malformed" in RejectedAuth: "The bearer token is not a compact RS256 JWT of reasonable size.", fix "Let Pub/Sub mint the token; do not put a proxy in between that rewrites it.";
    TokenSignature = "token_signature" in RejectedAuth: "No current Google certificate verifies the token.", fix "Only Google's tokens are accepted here; check who calls this address.";
    TokenIssuer = "token_issuer" in RejectedAuth: "The token's issuer is not https://accounts.google.com.", fix "Only Google's tokens are accepted here; check who calls this address.";
    TokenAudience = "token_audience" in RejectedAuth: "The token was minted for another audience.", fix "Make `--push-auth-token-audience` equal to `ingress.events.audience`.";
    TokenExpired = "token_expired" in RejectedAuth: "The token is outside its time of validity.", fix "Check the clock of this machine; Pub/Sub mints a fresh token for each hour.";
    TokenEmail = "token_email" in RejectedAuth: "The token belongs to another service account, or its e-mail is not verified.", fix "Make `--push-auth-service-account` equal to `ingress.events.email`.";
    SignatureStrippedByCloudRun = "signature_stripped_by_cloud_run" in RejectedAuth: "Cloud Run's own invoker check removed the token's signature before the container saw it.", fix "Deploy with the invoker check off (`--no-invoker-iam-check`) and let launchgate verify the token itself.";
    WrongSubscription = "wrong_subscription" in RejectedAuth: "The delivery names another subscription than the one configured for this route.", fix "Point the other subscription elsewhere, or correct `ingress.events.subscription`.";
    NotLoopback = "not_loopback" in RejectedAuth: "`auth: none` accepts callers on this machine only.", fix "Use `auth: oidc` for anything that is not on loopback.";

    // -- the body -----------------------------------------------------------------------------
    PushBody = "push_body" in RejectedMalformed: "The request body is not a Pub/Sub push message.", fix "Deliver through a Pub/Sub push subscription, wrapped or unwrapped with metadata.";
    DuplicateMetadata = "duplicate_metadata" in RejectedMalformed: "A Pub/Sub metadata header or member was given twice, or its two spellings disagree.", fix "A publisher's attributes become headers when unwrapped: do not publish `x-goog-pubsub-…` attributes.";
    NoPublishTime = "no_publish_time" in RejectedMalformed: "The delivery has no publish time, the one clock that neither job nor relay can set.", fix "Turn on `writeMetadata` for an unwrapped subscription.";
    TooLarge = "too_large" in RejectedMalformed: "The body or envelope is larger than allowed.", fix "An envelope may have 256 KiB; put large data into the artifact, not into the event.";
    NotJson = "not_json" in RejectedMalformed: "The data is not one JSON object in UTF-8.", fix "Publish the envelope as it is, with nothing before or after it.";
    DuplicateMember = "duplicate_member" in RejectedMalformed: "A JSON object names a member twice; two readers could read two different events.", fix "Sign and send with a tool that writes each member once.";
    TooDeep = "too_deep" in RejectedMalformed: "The JSON is nested absurdly deep.", fix "Flatten the data.";
    EnvelopeShape = "envelope_shape" in RejectedMalformed: "A member of the DSSE envelope is missing or of the wrong type.", fix "An envelope has `payload`, `payloadType` and `signatures`.";
    BundleShape = "bundle_shape" in RejectedMalformed: "The Sigstore bundle is not v0.3 with a DSSE envelope, or carries an envelope's members at its top.", fix "Give a Sigstore bundle of media type v0.3 around a DSSE envelope, or the envelope itself.";
    Base64 = "base64" in RejectedMalformed: "A base64 text has a character outside its alphabet, both alphabets at once, whitespace or wrong padding.", fix "Use either the standard or the URL-safe alphabet, with padding, for each text.";
    TooManySignatures = "too_many_signatures" in RejectedMalformed: "The envelope carries more signatures than any honest signer makes.", fix "Keep at most 32 signatures in one envelope.";

    TooManyInMetadata = "too_many_in_metadata" in RejectedMalformed: "A build's meta-data holds more events than are taken in: 32 under `launchgate:event:…`.", fix "Let one job emit several artifacts in one event; any job of the cluster can write such keys, so look who did.";

    // -- the signature ------------------------------------------------------------------------
    Unsigned = "unsigned" in RejectedSignature: "The envelope has no signature.", fix "Sign it: `launchgate emit --key …`.";
    PayloadType = "payload_type" in RejectedSignature: "The payload type is not application/vnd.in-toto+json.", fix "Sign an in-toto statement.";
    UnknownSigner = "unknown_signer" in RejectedSignature: "No configured signer made any of the signatures.", fix "Compare the signing key with `signers` in the triggers file; a changed byte anywhere in the payload has the same effect.";
    NotPaeEncoded = "not_pae_encoded" in RejectedSignature: "The key is right, but it signed the body (or its base64 text) instead of DSSE's pre-authentication encoding: the official plugin's mistake.", fix "Sign with `launchgate emit`, or any tool that follows DSSE v1.";
    KnownDemoKey = "known_demo_key" in RejectedSignature: "The signature was made with the demo key published inside the generate-provenance-attestation plugin; anyone can make it.", fix "Make a key of your own: `launchgate keygen`.";
    SignerNotYetValid = "signer_not_yet_valid" in RejectedSignature: "The event was published before the signer's `notBefore`.", fix "Wait, or correct `notBefore` in the triggers file.";
    SignerExpired = "signer_expired" in RejectedSignature: "The event was published after the signer's `notAfter`.", fix "Rotate the key: `launchgate keygen`, add it as a second signer, then retire the old one.";
    RevokedSigner = "revoked_signer" in RejectedSignature: "The signer is revoked in today's triggers file.", fix "Sign with a signer in force.";
    PipelineNotAllowed = "pipeline_not_allowed" in RejectedSignature: "The key is genuine but may not speak for this pipeline.", fix "Add the pipeline to the signer's `pipelines`, or sign with the pipeline's own key.";
    BuilderNotAllowed = "builder_not_allowed" in RejectedSignature: "The key is genuine but may not speak for this builder id.", fix "Add the builder id to the signer's `builders`.";
    IdentityMismatch = "identity_mismatch" in RejectedSignature: "The token or certificate says something else about the build than the statement does, or than the signer's pins ask for.", fix "Build the statement from the token's own claims; compare the named claim with the signer's `organization`, `organizationId`, `pipelineIds`, `cluster` and `queue`.";
    UnboundToken = "unbound_token" in RejectedSignature: "The token's audience does not name an event of this service, so it would sign anything, or belongs elsewhere.", fix "Ask for a token whose audience is `<service.audience>/event/<digest>`; `launchgate emit --keyless` does.";
    BindingMismatch = "binding_mismatch" in RejectedSignature: "The token is bound to another event.", fix "A token signs one statement only; emit again.";
    TokenTooOld = "token_too_old" in RejectedSignature: "The event was published too long after its token was issued.", fix "Emit again; the token is minted right before publishing.";
    BuildkiteTokenMalformed = "buildkite_token_malformed" in RejectedSignature: "The signature looks like a Buildkite token but is not a compact RS256 JWT of reasonable size.", fix "Put the token in as `buildkite-agent oidc request-token` printed it, base64-encoded once.";
    BuildkiteTokenSignature = "buildkite_token_signature" in RejectedSignature: "The Buildkite key that the token names did not sign it.", fix "Emit again from the job; a token that was changed anywhere has the same effect.";
    BuildkiteTokenUnknownKey = "buildkite_token_unknown_key" in RejectedSignature: "Buildkite's key set, fetched afresh, does not have the key that the token names.", fix "Only tokens of https://agent.buildkite.com count; check who publishes to the topic.";
    BuildkiteTokenIssuer = "buildkite_token_issuer" in RejectedSignature: "The token's issuer is not exactly https://agent.buildkite.com.", fix "Only Buildkite's own agent tokens are accepted as signatures.";
    BuildkiteTokenTime = "buildkite_token_time" in RejectedSignature: "The event was published outside the token's time of validity, or that time is longer than Buildkite ever grants.", fix "Publish right after the token was minted; emit again.";
    WebhookHeader = "webhook_header" in RejectedSignature: "The delivery has no `buildkite-signature` attribute of the form `timestamp=SECONDS,signature=64 HEX`.", fix "Let the relay publish the webhook's raw body with its X-Buildkite-Signature header as that attribute; choose the signature mode in Buildkite, not the token mode.";
    WebhookSignature = "webhook_signature" in RejectedSignature: "No webhook secret in force made the signature over this body.", fix "Compare the variable that `buildkite.webhookSecretEnv` names with the webhook's token in Buildkite; during rotation it holds both, comma-separated.";
    WebhookTime = "webhook_time" in RejectedSignature: "Buildkite signed the webhook more than 300 s from when it was published.", fix "Publish webhooks as they come in; check the relay's delay and who publishes to the topic.";
    BundleMaterial = "bundle_material" in RejectedSignature: "The Sigstore bundle's verification material cannot be read, or is of a kind that no event may use.", fix "Make the bundle with a Sigstore client of today, keyless, around one DSSE envelope with one signature.";
    BundleCertificate = "bundle_certificate" in RejectedSignature: "The bundle's certificate does not chain to the signer's trusted root, was not valid at the time of signing, or is in no certificate log of that root.", fix "Sign with the Sigstore instance whose root the signer pins; a root that has aged lacks new keys: give a newer `trustedRoot`.";
    BundleTime = "bundle_time" in RejectedSignature: "No clock of the trusted root says when the bundle was signed, or it says a time after the event was published.", fix "Keep the log entry's inclusion promise or the timestamp in the bundle; publish after signing.";
    BundleLog = "bundle_log" in RejectedSignature: "The bundle's proof that the signature stands in the transparency log does not hold, or is about something else.", fix "Publish the bundle as the client wrote it; a root that has aged lacks new log keys: give a newer `trustedRoot`.";
    BundleSignature = "bundle_signature" in RejectedSignature: "The key in the bundle's certificate did not sign this envelope.", fix "Publish the bundle as the client wrote it; a changed byte in the payload has the same effect.";
    BundleIssuer = "bundle_issuer" in RejectedSignature: "The certificate was not issued for a token of https://agent.buildkite.com.", fix "Sign inside a Buildkite job, with its own OIDC token.";
    ForeignMetadata = "foreign_metadata" in RejectedSignature: "An envelope in the build's meta-data belongs to another build.", fix "Let each build emit its own events; any job of the cluster can write into another build's meta-data, so look who did.";

    // -- the statement ------------------------------------------------------------------------
    StatementNotJson = "statement_not_json" in RejectedStatement: "The signed payload is not one JSON object in UTF-8 that names each member once.", fix "Sign an in-toto Statement v1.";
    StatementShape = "statement_shape" in RejectedStatement: "A member of the statement is missing or of the wrong type.", fix "Compare with docs/event-format.md.";
    StatementType = "statement_type" in RejectedStatement: "`_type` is not https://in-toto.io/Statement/v1.", fix "Make a Statement v1.";
    PredicateType = "predicate_type" in RejectedStatement: "`predicateType` is not https://slsa.dev/provenance/v1.", fix "Make SLSA provenance v1.";
    BuildType = "build_type" in RejectedStatement: "`buildType` is not Buildkite's https://buildkite.github.io/slsa-buildtypes/job/v1.", fix "Use Buildkite's build type.";
    NoSubject = "no_subject" in RejectedStatement: "The statement has no subject, or more than 32.", fix "Name between 1 and 32 artifacts.";
    SubjectDigest = "subject_digest" in RejectedStatement: "A subject has no lower-case hex sha256, or the digest inside its uri differs from it.", fix "Give each subject its sha256; name images by that same digest.";
    DuplicateSubject = "duplicate_subject" in RejectedStatement: "Two subjects have the same name and sha256.", fix "Name each artifact once.";
    SelfContradiction = "self_contradiction" in RejectedStatement: "Two members of the statement contradict each other.", fix "Build the statement from one source; `launchgate emit` does.";
    TooManyDecisions = "too_many_decisions" in RejectedStatement: "Subjects times matching triggers is more than 256.", fix "Split the event, or narrow the triggers' `match`.";

    ArtifactNote = "artifact_note" in RejectedStatement: "The build's meta-data `launchgate:artifact` is not what makes an event: one object or a list of them, each with `name`, `sha256`, an immutable `uri`, and nothing but `mediaType` and `annotations` beside.", fix "See docs/triggers.md on `buildkiteWebhook`; name images by digest and objects by generation.";
    MetadataAbsent = "metadata_absent" in RejectedStatement: "Buildkite's webhook came without the build's meta-data, and it could not be asked for: no event could be made of it.", fix "Name the variable of an API token with the scope read_builds in `buildkite.apiTokenEnv`; then the meta-data are fetched.";
    WebhookShape = "webhook_shape" in RejectedStatement: "The webhook is Buildkite's, but a member that launchgate reads is missing or not what Buildkite writes.", fix "Compare the named member with Buildkite's documentation of build events.";
    ForeignOrganization = "foreign_organization" in RejectedStatement: "The webhook is about a build of another organization than `buildkite.organization`.", fix "Correct `buildkite.organization`, or give each organization a webhook secret and a service of its own.";

    // -- policy -------------------------------------------------------------------------------
    SignerNotPermitted = "signer_not_permitted" in DeniedPolicy: "None of the event's signers is in the trigger's `require.signers.anyOf`.", fix "Add the signer to `anyOf`, or sign with a permitted one.";
    ThresholdNotMet = "threshold_not_met" in DeniedPolicy: "Fewer distinct signers than `require.signers.atLeast`.", fix "Add the missing signature; the same statement may be published again with it.";
    FactNotVouched = "fact_not_vouched" in DeniedPolicy: "No permitted signer proves a fact that the trigger reads.", fix "Permit a signer that vouches for it, or read it as `claimed.…` in parameters only.";
    SourceNotAllowed = "source_not_allowed" in DeniedPolicy: "The build was started in a way that the trigger does not allow.", fix "See `require.sources`.";
    RepositoryNotAllowed = "repository_not_allowed" in DeniedPolicy: "The build is of another repository.", fix "See `require.repository`.";
    BuildFactsMismatch = "build_facts_mismatch" in DeniedPolicy: "Buildkite says another branch, tag or commit of the build than the event does.", fix "Find out who made the event; Buildkite and the job should say the same of one build.";
    ForkBuild = "fork_build" in DeniedPolicy: "The build is of a pull request from a fork, which chose its branch and tag names itself.", fix "Nothing to do if that is right: forks may not start this. Merge the pull request, or let the trigger read neither branch nor tag and say `pullRequest: any`.";
    PullRequestNotAllowed = "pull_request_not_allowed" in DeniedPolicy: "The build is of a pull request, and the trigger takes none.", fix "See `require.pullRequest`.";
    ClusterNotTrusted = "cluster_not_trusted" in DeniedPolicy: "The build ran in another cluster than the trigger trusts, or Buildkite does not say in which.", fix "See `require.trustsCluster`: it is the cluster's id.";
    BuildNotPassed = "build_not_passed" in DeniedPolicy: "The build ended, and not as passed.", fix "Mend the build. If a retried job makes it pass, replay the event.";
    TooOld = "too_old" in DeniedPolicy: "The event was older than `require.maxAge` when it was published.", fix "Emit a fresh event; the limit stops old builds from retraining models.";
    TimeInFuture = "time_in_future" in DeniedPolicy: "The vouched time of the event is more than five minutes after its publishing; such an event would stay young for ever.", fix "Set the clock of the build agent, then emit again.";
    NoTime = "no_time" in DeniedPolicy: "Nothing that is vouched for says when the build ran, so `require.maxAge` cannot be met.", fix "Emit with `launchgate emit`, which writes `startedOn`.";
    TriggerRemoved = "trigger_removed" in DeniedPolicy: "The trigger is no longer in the file, or no longer enforced.", fix "Replay the event if another trigger should take it.";
    SignerRevoked = "signer_revoked" in DeniedPolicy: "A signer that the decision counted was revoked before the launch.", fix "Replay after signing with a signer in force.";
    BuildFactsExpired = "build_facts_expired" in DeniedPolicy: "Buildkite's word on the build did not come in time.", fix "Check Buildkite's webhook, the relay and the subscription of `ingress.builds`; then replay the event.";
    ArtifactMissing = "artifact_missing" in DeniedPolicy: "There is no such object, generation, manifest or blob where the artifact's uri points.", fix "Push before you emit, and keep what was emitted: it was deleted or overwritten, or lies elsewhere. Where the account may not even see it, grant read access; the message has the line.";
    ArtifactDiffers = "artifact_differs" in DeniedPolicy: "What lies at the artifact's uri is not what the statement says.", fix "Emit what was pushed, after it was pushed; find out who else may write there.";
    ArtifactNotCheckable = "artifact_not_checkable" in DeniedPolicy: "The trigger asks for the artifact to be checked, and its uri names nothing that can be: no uri, another scheme, a tag, no generation, or too large.", fix "Emit `gs://BUCKET/OBJECT#GENERATION` or `HOST/REPOSITORY@sha256:DIGEST`; `launchgate emit` pins both by itself.";
    ArtifactUnchecked = "artifact_unchecked" in DeniedPolicy: "The artifact could not be checked within `waitFor.artifact`; the message says what came in between last.", fix "Check the service's read access to the artifact, then replay.";
    ArtifactChanged = "artifact_changed" in DeniedPolicy: "The build named another artifact set than before.", fix "Name a build's artifacts once, when they are final; any job of the cluster can write the build's meta-data, so look who did.";

    WhenError = "when_error" in DeniedPolicy: "The trigger's `when` has no value for this event; what cannot be evaluated does not launch.", fix "Guard the expression with `has(…)`.";

    // -- no match -----------------------------------------------------------------------------
    NoTriggerMatches = "no_trigger_matches" in NoMatch: "No trigger matches this artifact; the ladder shows the nearest misses.", fix "Compare the failed clauses with the build.";

    // -- parameters ---------------------------------------------------------------------------
    ExpressionError = "expression_error" in InvalidParameters: "An expression has no value for this event.", fix "Guard it with `has(…)`, or let the build send the missing value.";
    UnknownParameter = "unknown_parameter" in InvalidParameters: "The pipeline has no such input.", fix "Correct the name in `parameterValues`.";
    MissingParameter = "missing_parameter" in InvalidParameters: "A required input of the pipeline has no value.", fix "Add it to `parameterValues` or `inputArtifacts`.";
    ParameterType = "parameter_type" in InvalidParameters: "A value has another type than the pipeline's input.", fix "Convert it in the expression, or correct what the build sends.";
    LabelValue = "label_value" in InvalidParameters: "A label value breaks Google's rule (at most 63 lower-case letters, digits, `-`, `_`).", fix "Wrap the expression in `labelSafe(…)`.";
    FieldValue = "field_value" in InvalidParameters: "A value is not acceptable in its field.", fix "See the message for the field's rule.";

    // -- waiting, launching -------------------------------------------------------------------
    OncePer = "once_per" in Duplicate: "Another launch holds what the trigger launches once (`oncePer`); the message names its launch id and run.", fix "Nothing to do if one run is meant. The key is free again when its holder ends without a run: then replay the event. `--force` launches a second run.";
    NewerBuildLaunched = "newer_build_launched" in Superseded: "The trigger launches the newest build only (`order: newest`), and a newer build of the same pipeline and branch was launched.", fix "Nothing to do if the older build is not wanted; `launchgate replay EVENT --force --why …` launches it all the same.";
    HourlyLimit = "hourly_limit" in RateCapped: "The trigger has as many launches within 60 minutes as `maxLaunchesPerHour` allows.", fix "Find out why there are so many events; replay this one later, or raise the limit.";
    BuildFactsAwaited = "build_facts_awaited" in WaitingBuild: "The trigger reads what only Buildkite itself can prove of the build, and Buildkite's webhook has not come yet.", fix "Nothing to do if the webhook is set up; else see docs/triggers.md on build facts.";
    ArtifactCheckPending = "artifact_check_pending" in WaitingArtifact: "Everything else passed, and the artifact has not been checked yet, or could not be reached; it is tried again until `waitFor.artifact` ends.", fix "Nothing to do while the message names an outage; a missing permission is mended by the line in the message.";
    BuildNotFinished = "build_not_finished" in WaitingBuild: "The trigger asks for a build that passed, and the build still runs or is blocked.", fix "Nothing to do: it goes on when the build ends. Unblock the build if it waits for somebody.";
    VertexUnavailable = "vertex_unavailable" in Retrying: "Vertex AI did not answer, or answered that it is unavailable.", fix "Nothing to do: it is retried.";
    VertexRateLimited = "vertex_rate_limited" in Retrying: "Vertex AI's request rate limit was reached.", fix "Nothing to do: it is retried more slowly.";
    VertexInternal = "vertex_internal" in Retrying: "Vertex AI answered with an internal error; some of these are permanent, so it is tried at most 5 times.", fix "If it repeats, name images and templates by digest.";
    CredentialsUnavailable = "credentials_unavailable" in Retrying: "No access token could be obtained.", fix "Check the service account or the credential file; `gcloud auth application-default login` on a laptop.";
    Interrupted = "interrupted" in Retrying: "The holder stopped between claim and record; the sweep finishes the work.", fix "Nothing to do.";
    QuotaUsedUp = "quota_used_up" in WaitingQuota: "A Vertex AI quota is used up; this is no rate limit.", fix "Free capacity or raise the quota.";
    Ambiguous = "ambiguous" in LaunchUnknown: "The call was cut off after it began and no job with our label has appeared.", fix "Look for the job at Vertex AI by its label `launchgate-id`. If it is not there, `launchgate replay EVENT --force --why …`.";
    Double = "double" in LaunchUnknown: "Two jobs carry the decision's label.", fix "Cancel one of them by hand.";
    PermissionDenied = "permission_denied" in FailedLaunch: "The service account may not do this at Vertex AI.", fix "Run the `gcloud` line in the message.";
    ActAsDenied = "act_as_denied" in FailedLaunch: "launchgate may not act as the run's service account.", fix "Run the `gcloud` line in the message.";
    ApiDisabled = "api_disabled" in FailedLaunch: "The Vertex AI API is not enabled in the project.", fix "`gcloud services enable aiplatform.googleapis.com --project=PROJECT`.";
    InvalidRequest = "invalid_request" in FailedLaunch: "Vertex AI refused the request as invalid.", fix "See Vertex AI's own text in the message.";
    PreconditionFailed = "precondition_failed" in FailedLaunch: "Vertex AI refused the request because of the state of something it needs.", fix "See Vertex AI's own text in the message.";
    NotFound = "not_found" in FailedLaunch: "The project, location or a resource in the request does not exist.", fix "Check `vertex.project` and `vertex.location`.";
    Unauthenticated = "unauthenticated" in FailedLaunch: "Vertex AI does not accept the access token, not even a fresh one.", fix "Check the credentials; see docs/production.md.";
    JobIdTaken = "job_id_taken" in FailedLaunch: "A job with our launch id exists and is not the planned one.", fix "Find out who may create pipeline jobs in the project; then replay with force.";
    RetriesExhausted = "retries_exhausted" in FailedLaunch: "The retry budget of the decision ran out.", fix "Replay once Vertex AI is well.";
    Quota = "quota" in FailedLaunch: "Quota did not come free in time.", fix "Raise the quota, then replay.";
}

impl Reason {
    /// The reason of a stable code; `None` for any other text.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.as_str() == code)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl serde::Serialize for Reason {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> serde::Deserialize<'de> for Reason {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::from_code(&code).ok_or_else(|| serde::de::Error::custom(format!("unknown reason `{code}`")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_snake_case_and_found_again() {
        let mut seen = std::collections::BTreeSet::new();
        for reason in Reason::ALL {
            let code = reason.as_str();
            assert!(seen.insert(code), "{code} stands twice");
            assert!(
                code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'),
                "{code}"
            );
            assert_eq!(Reason::from_code(code), Some(*reason));
        }
    }
}
