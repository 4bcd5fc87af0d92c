//! What lint can say: the stable codes, each with its severity, its meaning and how to mend the file.
//!
//! Promises: whoever adds a code adds its row here, its section in `docs/lint.md` and an example that shows it
//! (`tests/lint` holds the three against each other and against the source).
//! Does not: phrase a single finding, whose message names what was expected and found.

use std::fmt;

use crate::Severity;

/// Declares the enum and its tables in one place, so that a code without documentation cannot exist.
macro_rules! codes {
    ($($(#[$attribute:meta])* $variant:ident = $code:literal is $severity:ident : $meaning:literal, mend $mend:literal;)*) => {
        /// A stable kebab-case code of a finding.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        #[allow(clippy::doc_markdown, reason = "the meanings are prose for docs/lint.md too")]
        pub enum FindingCode { $(#[doc = $meaning] $(#[$attribute])* $variant,)* }

        impl FindingCode {
            /// Every code, in the order of `docs/lint.md`.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable code.
            pub fn as_str(self) -> &'static str { match self { $(Self::$variant => $code,)* } }

            /// Whether a file with such a finding can be used.
            pub fn severity(self) -> Severity { match self { $(Self::$variant => Severity::$severity,)* } }

            /// What it means, one or two sentences.
            pub fn meaning(self) -> &'static str { match self { $(Self::$variant => $meaning,)* } }

            /// How the file is mended.
            pub fn mend(self) -> &'static str { match self { $(Self::$variant => $mend,)* } }
        }
    };
}

codes! {
    // -- the file as YAML ---------------------------------------------------------------------
    Unreadable = "unreadable" is Error: "The triggers file itself cannot be read: it is not there, may not be read, or is not UTF-8.", mend "Name the file with `--config`, and save it as UTF-8.";
    FileSize = "file-size" is Error: "The file is larger than 16 MiB, which nobody reviews.", mend "Split it: a gate for each team reads a file of its own.";
    YamlSyntax = "yaml-syntax" is Error: "The file is not YAML (or JSON), or uses what no reviewed file needs: anchors, aliases, merge keys, tags of one's own, two documents, tabs as indentation, more than 32 levels or two million values.", mend "Correct the place that is shown; write a value where it is used instead of pointing at it.";
    DuplicateKey = "duplicate-key" is Error: "A key stands twice in one mapping, so two readers could read two different files.", mend "Keep one of them.";
    NumberRange = "number-range" is Error: "A number that JSON cannot carry unchanged: not finite, or an integer beyond 64 bits.", mend "Write it as text, in quotes, where text is meant.";
    ApiVersion = "api-version" is Error: "`apiVersion` is not one that this version reads.", mend "Write `apiVersion: launchgate/v1`.";

    // -- keys and values in general -----------------------------------------------------------
    UnknownKey = "unknown-key" is Error: "A key that nothing reads. It is refused and not ignored, since whoever wrote it counts on it.", mend "Correct its spelling, or take it out; the finding names the nearest key.";
    MissingKey = "missing-key" is Error: "A key that must be there is not.", mend "Add it.";
    WrongType = "wrong-type" is Error: "A value of another type than the key takes, such as a number or `yes` where text is meant.", mend "Write the type that is named; quote a number or boolean that is meant as text.";
    EmptyValue = "empty-value" is Error: "An empty text or list where something must stand.", mend "Give it a value, or leave the key out.";
    UnknownValue = "unknown-value" is Error: "A word that is none of those the key takes.", mend "Write one of the words that the finding lists.";
    BadDuration = "bad-duration" is Error: "A duration that is not a whole number of seconds, minutes, hours or days, or is out of range.", mend "Write it as `90s`, `15m`, `24h` or `7d`.";
    BadTime = "bad-time" is Error: "A time that is neither a date nor RFC 3339.", mend "Write `2027-03-01` or `2027-03-01T12:00:00Z`.";
    BadPath = "bad-path" is Error: "A path that is absolute or leaves the folder of the triggers file: what is deployed is that folder.", mend "Keep the file in the folder, and name it relative to it.";
    UnreadableFile = "unreadable-file" is Error: "A file that the triggers file names cannot be read, or is not text where text is meant.", mend "Put the file in place, or correct its name.";
    NotYetSupported = "not-yet-supported" is Error: "The format knows this, and this version cannot enforce it. It is refused and not ignored.", mend "Leave it out, or run a version that supports it.";
    UnknownVariable = "unknown-variable" is Warning: "A `LAUNCHGATE_…` variable of the environment that replaces nothing in the file, as a misspelled one does.", mend "Correct its name; the triggers reference lists the variables that exist.";
    MoreFindings = "more-findings" is Warning: "The file has more findings than are shown.", mend "Mend those that are shown, and lint again.";

    // -- service, vertex, ingress, failures, buildkite ----------------------------------------
    BadAudience = "bad-audience" is Error: "`service.audience` breaks its rule; it becomes part of the audience of every token.", mend "Write 3 to 63 lower-case letters, digits, dots or dashes, the first a letter or digit.";
    BadUrl = "bad-url" is Error: "`service.url` is not an http or https address.", mend "Write it as `https://launchgate.example.com`.";
    BadProject = "bad-project" is Error: "The project is not a Google Cloud project id.", mend "Write the id (not the name) of the project.";
    BadLocation = "bad-location" is Error: "The location is not a region; it becomes a part of a host name.", mend "Write a region such as `us-central1`.";
    BadServiceAccount = "bad-service-account" is Error: "A service account that is none: its e-mail becomes part of an address and of a policy.", mend "Write its whole e-mail, `NAME@PROJECT.iam.gserviceaccount.com`.";
    BadRoot = "bad-root" is Error: "A pipeline root that is not in Cloud Storage, or whose bucket an event could choose.", mend "Write `gs://BUCKET/FOLDER`, with a literal bucket.";
    BadEmail = "bad-email" is Error: "The e-mail of a route is not one of a service account.", mend "Write the push subscription's service account.";
    BadSubscription = "bad-subscription" is Error: "The subscription is not given by its full name.", mend "Write `projects/PROJECT/subscriptions/NAME`.";
    BadTopic = "bad-topic" is Error: "The topic is not given by its full name.", mend "Write `projects/PROJECT/topics/NAME`.";
    BadOrganization = "bad-organization" is Error: "`buildkite.organization` is not a slug.", mend "Write the organization as it stands in the address of its builds.";
    BadVariable = "bad-variable" is Error: "Expected the name of an environment variable, found something else, perhaps the secret itself.", mend "Name the variable that holds the secret. A secret that was committed has to be replaced.";
    NoWebhookSecret = "no-webhook-secret" is Error: "`ingress.builds` takes in Buildkite's webhooks, and nothing says how they are believed.", mend "Add `buildkite: { organization: …, webhookSecretEnv: BUILDKITE_WEBHOOK_SECRET }`.";

    // -- signers ------------------------------------------------------------------------------
    BadSignerId = "bad-signer-id" is Error: "The id of a signer breaks its rule.", mend "Write 1 to 63 letters, digits, dots, dashes or underscores.";
    DuplicateSigner = "duplicate-signer" is Error: "Two signers have one id, so that `anyOf` could mean either.", mend "Give each signer a name of its own.";
    TwoKinds = "two-kinds" is Error: "A signer has two kinds of proof; which of them is needed would be a guess.", mend "Make them two signers, and permit both.";
    BadKey = "bad-key" is Error: "The public key cannot be used: not PEM, a private key, too short, of another kind than `scheme`, or an RSA key without one.", mend "Give the PEM of a public key; `launchgate keygen` makes a pair.";
    BadTrustedRoot = "bad-trusted-root" is Error: "The file is not a Sigstore trusted root.", mend "Take `trusted_root.json` from your Sigstore instance, or from a client's cache.";
    EmptyValidity = "empty-validity" is Error: "A signer's `notAfter` is not later than its `notBefore`, so it would never count.", mend "Correct the dates.";
    RotateAfterWithoutKey = "rotate-after-without-key" is Error: "`rotateAfter` is the age of a key, and this signer keeps none.", mend "Leave it out.";
    RotateAfterWithoutStart = "rotate-after-without-start" is Error: "`rotateAfter` counts from `notBefore`, which the signer does not have.", mend "Say since when the key is in use: `notBefore: 2026-11-18`.";
    EmbeddedTrustedRoot = "embedded-trusted-root" is Warning: "No `trustedRoot` is given, so Sigstore's public-good root as this version carries it is used; it ages.", mend "Keep today's `trusted_root.json` beside the triggers file, name it, and renew it now and then.";
    KeyExpired = "key-expired" is Warning: "The signer counts no longer: its `notAfter` is past.", mend "Add the next key beside it and sign with that, then take this one out.";
    KeyExpiring = "key-expiring" is Warning: "The signer's `notAfter` is less than 30 days away.", mend "Add the next key beside it and sign with that before this one ends.";
    KeyOld = "key-old" is Warning: "The key is in use for longer than `rotateAfter` (30 days when the file does not say).", mend "Make the next key with `launchgate keygen`, add it beside this one and sign with that; then give this one a `notAfter`.";
    WeakestSigner = "weakest-signer" is Warning: "`buildkiteWebhook` proves that a build finished, not what it made: any job of its cluster can name the artifact.", mend "Use it for first steps. `buildkiteOidc` needs nothing to keep either, and binds the artifact to the job.";
    ForeignOrganization = "foreign-organization" is Error: "A webhook signer is of another organization than `buildkite.organization`, whose webhooks alone are believed.", mend "Write the same organization in both.";

    // -- defaults -----------------------------------------------------------------------------
    NoDefault = "no-default" is Error: "What cannot be a default: which builds a trigger is about and what it starts stand in the trigger itself.", mend "Write it in each trigger.";
    UnusedDefault = "unused-default" is Warning: "Every trigger says its own, so the default says nothing.", mend "Leave the default out, or let the triggers that agree with it leave theirs out.";

    // -- triggers: match and require ----------------------------------------------------------
    BadTriggerName = "bad-trigger-name" is Error: "The name of a trigger breaks its rule; launch ids and labels carry it.", mend "Write a lower-case letter, then letters, digits or dashes, at most 63, no dash at the end.";
    DuplicateTrigger = "duplicate-trigger" is Error: "Two triggers have one name.", mend "Give each trigger a name of its own.";
    BadPattern = "bad-pattern" is Error: "A pattern that cannot be read.", mend "Write literal text with `*`, `**` and `?`; `!` in front negates.";
    BadRepository = "bad-repository" is Error: "`require.repository` is not the address of a repository.", mend "Write it as `https://github.com/ORG/REPOSITORY`.";
    UnknownSigner = "unknown-signer" is Error: "A trigger permits a signer that the file does not have.", mend "Write the id of a signer under `signers`.";
    RepeatedSigner = "repeated-signer" is Warning: "A signer stands twice in `anyOf`; it counts once.", mend "Name it once.";
    ThresholdUnreachable = "threshold-unreachable" is Error: "`atLeast` asks for more distinct signers than `anyOf` holds. Two ids with one key are one signer, and all that Buildkite itself vouches for is one.", mend "Permit more signers, or ask for fewer.";
    UnvouchedFact = "unvouched-fact" is Error: "The trigger reads a fact of the build that no permitted signer can prove, so it would never launch.", mend "Permit a signer that proves it, take in Buildkite's webhooks, or (in parameters) read the build's own word as `claimed.build.…`.";
    NoBuildFacts = "no-build-facts" is Error: "The trigger asks for what only Buildkite's webhook says, and no route takes webhooks in.", mend "Add `ingress.builds` and `buildkite: { organization: …, webhookSecretEnv: … }`.";
    PullRequestUnstated = "pull-request-unstated" is Error: "A permitted signer says `forkBuilds: enabled`, and the trigger does not say which pull requests it takes.", mend "Add `pullRequest: none`, `sameRepository` or `any` to `require`.";
    WebhookSignerUnguarded = "webhook-signer-unguarded" is Error: "A trigger permits the webhook signer and leaves out one of the safeguards that this weakest kind needs.", mend "Add `build: passed`, `artifact: exists`, `trustsCluster` and a `match.artifact` that names a literal place with a digest or generation; or permit another signer.";
    ClaimedInWhen = "claimed-in-when" is Error: "`when` reads `claimed`, the job's own word, which must not decide what runs.", mend "Read `build.…`, which holds what is vouched for.";
    NoSignerInForce = "no-signer-in-force" is Warning: "Every signer that the trigger permits is over or revoked: it matches builds and denies each of them.", mend "Permit a signer that is in force.";
    UnreachableTrigger = "unreachable-trigger" is Warning: "The trigger can never launch: nothing can satisfy its clauses.", mend "Correct the clause that is named, or take the trigger out.";
    SameMatch = "same-match" is Warning: "Two triggers match the same builds: both will launch.", mend "Narrow one of them, or keep both on purpose.";
    ShadowedTrigger = "shadowed-trigger" is Warning: "Whatever one trigger matches another matches too, and both launch the same job: it will run twice.", mend "Take one of them out, or keep the narrow one's builds out of the wide one with `!`.";
    SourcesOpen = "sources-open" is Warning: "The trigger takes builds of a branch like `main` or `release/1.0` and does not ask how they were started: builds started by hand or by the API count as well, by whoever may start one.", mend "Add `sources: [webhook]` to `require`.";
    LongMaxAge = "long-max-age" is Warning: "`maxAge` is more than 30 days: whoever finds an old event can have it launch.", mend "Write a `maxAge` that a late delivery needs; an operator can replay older events.";
    OverwritableArtifact = "overwritable-artifact" is Warning: "The trigger takes objects in Cloud Storage without their generation: between build and run an object can be overwritten.", mend "End the pattern with `#*`, so that only events which name the object's generation match, or add `artifact: exists` to `require`.";
    UnusedSigner = "unused-signer" is Warning: "No trigger permits the signer: a key that is kept for no use.", mend "Name it in a trigger's `anyOf`, or take it out.";

    // -- expressions --------------------------------------------------------------------------
    BadExpression = "bad-expression" is Error: "An expression that cannot be read, names what does not exist, or could run long.", mend "Correct the place that is shown.";
    NoIdentity = "no-identity" is Error: "An expression reads `identity`, and every permitted signer is a key, which has none.", mend "Permit a `buildkiteOidc` or `sigstore` signer, or read what the key vouches for: `build.…`.";
    UnknownClaim = "unknown-claim" is Error: "An expression reads `identity.…` by a name that no proof of a permitted signer has, and nearly has another.", mend "Correct its spelling; the finding names the nearest claim.";
    UnfamiliarClaim = "unfamiliar-claim" is Warning: "An expression reads `identity.…` by a name that this version does not know. Buildkite may have added it since; a token without it makes the event `invalid_parameters`.", mend "Check the name against a token (`launchgate inspect`), or guard it with `has(…)`.";
    ExpressionNotAllowed = "expression-not-allowed" is Error: "`${…}` in a place that an event may not choose.", mend "Write a literal there; `$${` is a literal `${`.";

    // -- launch -------------------------------------------------------------------------------
    TwoLaunchKinds = "two-launch-kinds" is Error: "A trigger launches two kinds of job; a decision has one run.", mend "Write a trigger for each job.";
    LaunchBody = "launch-body" is Error: "The body is not one that the API accepts: an unknown field, a wrong type or enum value, held against the API's own schema.", mend "Correct the field that is shown; the finding names the nearest one.";
    BadLabel = "bad-label" is Error: "A label breaks Google's rule, or is one of launchgate's own or Vertex AI's.", mend "Write lower-case letters, digits, dashes and underscores, at most 63; wrap a value of an event in `labelSafe(…)`.";
    TooManyLabels = "too-many-labels" is Error: "More labels than Google takes: 64, three of which are launchgate's.", mend "Leave some out.";
    BadValue = "bad-value" is Error: "A literal that the API would refuse, such as a display name over 128 characters.", mend "Write what the finding asks for.";
    TwoTemplates = "two-templates" is Error: "A pipeline job has both `template` and `pipelineSpec`.", mend "Leave one of them out.";
    BadTemplate = "bad-template" is Error: "The template is not a compiled pipeline.", mend "Compile the pipeline with KFP 2 and name the file it wrote.";
    TemplateVersion = "template-version" is Error: "The template was compiled by KFP 1, whose parameters are another format.", mend "Compile the pipeline with KFP 2.";
    BadDigest = "bad-digest" is Error: "`templateSha256` is not a SHA-256.", mend "Write 64 lower-case hex digits: `sha256sum FILE`.";
    TemplateDigest = "template-digest" is Error: "The template is another than the one whose digest was reviewed.", mend "Review the template and write its digest.";
    BadTemplateAddress = "bad-template-address" is Error: "The template's address is none that templates are fetched from.", mend "Name a file beside the triggers file, `gs://BUCKET/OBJECT` or `https://REGION-kfp.pkg.dev/PROJECT/REPOSITORY/PACKAGE/sha256:DIGEST`.";
    TemplateByTag = "template-by-tag" is Error: "The template is named by a tag or version, which can be moved to another pipeline.", mend "Name it by its digest, `…/PACKAGE/sha256:DIGEST`.";
    TemplateUnpinned = "template-unpinned" is Error: "A template that lies elsewhere has no digest: whoever can write there could change what runs.", mend "Add `templateSha256` with the SHA-256 of the reviewed file.";
    TemplateUnavailable = "template-unavailable" is Error: "A template that lies elsewhere cannot be fetched, or is not the one that was reviewed.", mend "Do what the finding says: mostly grant read access, or correct the address.";
    TemplateNotLookedAt = "template-not-looked-at" is Warning: "A template that lies elsewhere was not looked at, so its parameters are unchecked.", mend "Run lint once where it can be fetched: without `--offline`, with credentials.";
    TemplateUri = "template-uri" is Error: "`templateUri` says another place than `template`.", mend "Leave `templateUri` out: it follows from `template`.";
    TemplateDefault = "template-default" is Warning: "An input of the pipeline has a default that does not fit its own type or literals.", mend "Give the parameter a value, or mend the pipeline and compile it again.";
    NoPipelineRoot = "no-pipeline-root" is Error: "Nothing says where the pipeline keeps its outputs.", mend "Add `gcsOutputDirectory`, or `vertex.pipelineRoot` for all pipelines.";
    UnknownParameter = "unknown-parameter" is Error: "A parameter or artifact that the pipeline does not have.", mend "Correct its spelling; the finding names the nearest one.";
    MissingParameter = "missing-parameter" is Error: "A parameter or artifact that the pipeline needs is not given.", mend "Give it a value.";
    ParameterType = "parameter-type" is Error: "A parameter of another type than the pipeline declares. Nothing is converted.", mend "Write the type that is named.";
    ImageNotPinned = "image-not-pinned" is Error: "`imageUri: ${artifact.uri}` runs whatever `match.artifact` lets through, and that is not held to a repository.", mend "Write `artifact: REGION-docker.pkg.dev/PROJECT/REPOSITORY/IMAGE@*` in `match`.";
    ImageExpression = "image-expression" is Error: "An event would choose the image in a way that is not safe.", mend "Write `${artifact.uri}`, or a literal `REGISTRY/REPOSITORY@${artifact.digest}`.";
    DefaultServiceAccount = "default-service-account" is Warning: "The job runs as a default service account (none is named, or one of Google's own), which may do far more than it needs.", mend "Name a service account made for this job.";
    ImageByTag = "image-by-tag" is Warning: "An image is named by tag: what runs can change without a review.", mend "Name it by digest: `…@sha256:…`.";
}

impl FindingCode {
    /// The code of a text.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| known.as_str() == code)
    }

    /// Where it is explained, relative to the project's root.
    pub fn help(self) -> String {
        format!("docs/lint.md#{self}")
    }
}

impl fmt::Display for FindingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
