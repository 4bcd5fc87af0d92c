// Sigstore bundles made by other people's code: the services of @sigstore/mock on loopback, the client of
// @sigstore/sign. Reads {"statement": BASE64, "job": CLAIMS} from standard input, writes
// {"trustedRoot": …, "cases": [{"name", "valid", "bundle"}]} to standard output.
//
// What the mock leaves out and the real services do is completed here: Fulcio's extensions for a Buildkite job,
// Rekor's canonical form of a `dsse` entry, timestamps in whole seconds.
"use strict";

const crypto = require("node:crypto");
const http = require("node:http");
const { createRequire } = require("node:module");
const path = require("node:path");

const packages = createRequire(path.join(process.env.LAUNCHGATE_NODE_PACKAGES, "package.json"));
const mock = packages("@sigstore/mock");
const sign = packages("@sigstore/sign");
const protobuf = packages("@sigstore/protobuf-specs");

const PAYLOAD_TYPE = "application/vnd.in-toto+json";
const ISSUER = "https://agent.buildkite.com";

const sha256 = (bytes) => crypto.createHash("sha256").update(bytes).digest();
const newKeys = () => crypto.generateKeyPairSync("ec", { namedCurve: "prime256v1" });
const wholeSecond = () => new Date(Math.floor(Date.now() / 1000) * 1000);

// One instance of the services.
async function instance({ certificateClock, withoutCertificateLog } = {}) {
  const certificateLog = await mock.initializeCTLog(newKeys());
  const authority = await mock.initializeCA(
    newKeys(),
    withoutCertificateLog ? undefined : certificateLog,
    certificateClock,
  );
  const log = await mock.initializeTLog("http://rekor.sigstore.example", newKeys());
  const timestamps = await mock.initializeTSA(newKeys());
  timestamps.getCurrentTime = wholeSecond;

  const plainLog = log.log.bind(log);
  log.log = (entry) => plainLog(canonical(entry));
  return { certificateLog, authority, log, timestamps };
}

// Rekor stores digests where a client proposes the envelope itself.
function canonical(entry) {
  if (entry.kind !== "dsse") return entry;
  const { envelope, verifiers } = entry.spec.proposedContent;
  const { payload, signatures } = JSON.parse(envelope);
  const digest = (bytes) => ({ algorithm: "sha256", value: sha256(bytes).toString("hex") });
  const certificate = Buffer.from(verifiers[0], "base64").toString();
  const body = certificate.replace(/-----.*-----|\s/g, "").match(/.{1,64}/g).join("\n");
  const pem = `-----BEGIN CERTIFICATE-----\n${body}\n-----END CERTIFICATE-----\n`;
  return {
    apiVersion: "0.0.1",
    kind: "dsse",
    spec: {
      envelopeHash: digest(envelope),
      payloadHash: digest(Buffer.from(payload, "base64")),
      signatures: [{ signature: signatures[0].sig, verifier: Buffer.from(pem).toString("base64") }],
    },
  };
}

function trustedRoot({ certificateLog, authority, log, timestamps }) {
  const start = new Date(Date.now() - 86_400_000);
  const key = (url, spki) => ({
    baseUrl: url,
    hashAlgorithm: protobuf.HashAlgorithm.SHA2_256,
    publicKey: {
      rawBytes: spki,
      keyDetails: protobuf.PublicKeyDetails.PKIX_ECDSA_P256_SHA_256,
      validFor: { start },
    },
    logId: { keyId: sha256(spki) },
  });
  const chain = (uri, certificates) => ({
    subject: { organization: "sigstore.mock", commonName: "sigstore" },
    uri,
    certChain: { certificates: certificates.map((rawBytes) => ({ rawBytes })) },
    validFor: { start },
  });
  return protobuf.TrustedRoot.toJSON({
    mediaType: "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
    tlogs: [key("http://rekor.sigstore.example", log.publicKey)],
    certificateAuthorities: [chain("http://fulcio.sigstore.example", [authority.rootCertificate])],
    ctlogs: [key("http://ctfe.sigstore.example", certificateLog.publicKey)],
    timestampAuthorities: [
      chain("http://tsa.sigstore.example", [timestamps.intCertificate, timestamps.rootCertificate]),
    ],
  });
}

// Fulcio's own mapping of a Buildkite token, which the mock does not know.
function forBuildkite(authority, job, issuer) {
  const pipeline = `https://buildkite.com/${job.organization_slug}/${job.pipeline_slug}`;
  const oid = (number) => `1.3.6.1.4.1.57264.1.${number}`;
  return {
    rootCertificate: authority.rootCertificate,
    issueCertificate: ({ publicKey }) =>
      authority.issueCertificate({
        publicKey,
        subjectAltName: pipeline,
        extensions: [
          { oid: oid(1), value: issuer, legacy: true },
          { oid: oid(8), value: issuer },
          { oid: oid(11), value: job.runner_environment },
          { oid: oid(13), value: job.build_commit },
          { oid: oid(20), value: job.build_source },
          { oid: oid(21), value: `${pipeline}/builds/${job.build_number}#${job.job_id}` },
        ],
      }),
  };
}

async function serve(services, job, issuer, use) {
  const handlers = [
    mock.fulcioHandler(forBuildkite(services.authority, job, issuer)),
    mock.rekorHandler(services.log),
    mock.tsaHandler(services.timestamps),
  ];
  const server = http.createServer(async (request, response) => {
    const body = [];
    for await (const part of request) body.push(part);
    const handler = handlers.find(({ path }) => path === request.url);
    const answer = await handler.fn(Buffer.concat(body).toString());
    response.writeHead(answer.statusCode, { "Content-Type": answer.contentType || "text/plain" });
    response.end(answer.response);
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  try {
    return await use(`http://127.0.0.1:${server.address().port}`);
  } finally {
    server.close();
  }
}

// An unsigned token will do: the mock looks at its claims alone.
function token(job) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "RS256" })}.${part({ iss: ISSUER, sub: job.job_id, aud: "sigstore" })}.AA`;
}

async function attest(services, statement, job, { issuer = ISSUER, entry = "dsse", timestamp = false } = {}) {
  return serve(services, job, issuer, async (url) => {
    const options = { retry: 0, timeout: 5000 };
    const witnesses = [new sign.RekorWitness({ rekorBaseURL: url, entryType: entry, ...options })];
    if (timestamp) witnesses.push(new sign.TSAWitness({ tsaBaseURL: url, ...options }));
    const signer = new sign.FulcioSigner({
      fulcioBaseURL: url,
      identityProvider: { getToken: async () => token(job) },
      ...options,
    });
    const bundler = new sign.DSSEBundleBuilder({ signer, witnesses });
    return completed(protobuf.Bundle.toJSON(await bundler.create({ data: statement, type: PAYLOAD_TYPE })));
  });
}

// Zero values that protobuf's JSON form leaves out and one of the readers insists on.
function completed(bundle) {
  for (const entry of bundle.verificationMaterial.tlogEntries) {
    entry.inclusionProof.logIndex ??= "0";
    entry.inclusionProof.hashes ??= [];
  }
  return bundle;
}

function bent(bundle, change) {
  const copy = structuredClone(bundle);
  change(copy);
  return copy;
}

function flip(text) {
  const bytes = Buffer.from(text, "base64");
  bytes[bytes.length >> 1] ^= 1;
  return bytes.toString("base64");
}

async function main(asked) {
  const statement = Buffer.from(asked.statement, "base64");
  const { job } = asked;
  const services = await instance();
  const plain = await attest(services, statement, job);
  const other = await attest(services, Buffer.from(statement.toString().replace("main", "next")), job);
  const stamped = await attest(services, statement, job, { timestamp: true });
  const hourAgo = new Date(Date.now() - 3_600_000);
  const old = { ...(await instance({ certificateClock: hourAgo })) };
  const bare = await instance({ withoutCertificateLog: true });

  const cases = [
    { name: "dsse entry", valid: true, bundle: plain },
    { name: "dsse entry and timestamp", valid: true, bundle: stamped },
    { name: "intoto entry", valid: true, bundle: await attest(services, statement, job, { entry: "intoto" }) },
    { name: "another instance", valid: false, bundle: await attest(await instance(), statement, job) },
    { name: "another issuer", valid: false, bundle: await attest(services, statement, job, { issuer: `${ISSUER}/` }) },
    {
      name: "another build's certificate",
      valid: false,
      bundle: await attest(services, statement, { ...job, build_number: job.build_number + 1 }),
    },
    {
      name: "another pipeline's certificate",
      valid: false,
      bundle: await attest(services, statement, { ...job, pipeline_slug: "other" }),
    },
    {
      name: "a certificate that had expired when it was logged",
      valid: false,
      bundle: await attest({ ...services, authority: old.authority }, statement, job),
      root: trustedRoot({ ...services, authority: old.authority, certificateLog: old.certificateLog }),
    },
    {
      name: "a certificate in no log",
      valid: false,
      bundle: await attest({ ...services, authority: bare.authority }, statement, job),
      root: trustedRoot({ ...services, authority: bare.authority }),
    },
    { name: "another statement", valid: false, bundle: bent(plain, (it) => (it.dsseEnvelope = other.dsseEnvelope)) },
    {
      name: "a changed signature",
      valid: false,
      bundle: bent(plain, (it) => {
        const [signature] = it.dsseEnvelope.signatures;
        signature.sig = flip(signature.sig);
      }),
    },
    {
      name: "another bundle's log entry",
      valid: false,
      bundle: bent(plain, (it) => {
        it.verificationMaterial.tlogEntries = other.verificationMaterial.tlogEntries;
      }),
    },
    {
      name: "a changed promise",
      valid: false,
      bundle: bent(plain, (it) => {
        const [{ inclusionPromise }] = it.verificationMaterial.tlogEntries;
        inclusionPromise.signedEntryTimestamp = flip(inclusionPromise.signedEntryTimestamp);
      }),
    },
    {
      name: "no log entry",
      valid: false,
      bundle: bent(stamped, (it) => (it.verificationMaterial.tlogEntries = [])),
    },
    {
      name: "a changed timestamp",
      valid: false,
      bundle: bent(stamped, (it) => {
        const { rfc3161Timestamps } = it.verificationMaterial.timestampVerificationData;
        rfc3161Timestamps[0].signedTimestamp = flip(rfc3161Timestamps[0].signedTimestamp);
      }),
    },
  ];
  process.stdout.write(JSON.stringify({ trustedRoot: trustedRoot(services), cases }));
}

let input = "";
process.stdin.on("data", (part) => (input += part));
process.stdin.on("end", () => main(JSON.parse(input)).catch((error) => {
  console.error(error);
  process.exitCode = 1;
}));
