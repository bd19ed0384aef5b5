//! Deliveries, as bytes: each of a job of its own, with a GUID and a signature of its own.

use std::path::Path;

use anyhow::{Context as _, ensure};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;

/// What deliveries are signed with.
pub(super) const SECRET: &str = "the secret of a bench, of some length";

/// Where the number of the first job begins; all have as many digits.
const FIRST_JOB: u64 = 41_000_000_000;

/// Room for what differs between deliveries.
const GUID: &str = "00000000-7d7e-11ef-8000-000000000000";
const TAG: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// One request, in which what differs is written over.
#[derive(Clone)]
pub(super) struct Template {
    request: Vec<u8>,
    guid: usize,
    tag: usize,
    body: usize,
    /// Where the job's number stands, in the request.
    jobs: Vec<usize>,
    key: Hmac<Sha256>,
}

/// The labels that a job of the payload asks for.
pub(super) fn labels(payload: &[u8]) -> anyhow::Result<Vec<String>> {
    let event: Value = serde_json::from_slice(payload).context("the payload is no JSON")?;
    let labels = event.pointer("/workflow_job/labels").and_then(Value::as_array);
    let labels = labels.context("the payload is no workflow_job event")?;
    Ok(labels.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

impl Template {
    /// Reads a payload of a `workflow_job` event: GitHub's own example, or one like it.
    pub(super) fn read(file: &Path) -> anyhow::Result<Self> {
        let payload = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        Self::of(&payload)
    }

    fn of(payload: &[u8]) -> anyhow::Result<Self> {
        let event: Value = serde_json::from_slice(payload).context("the payload is no JSON")?;
        let id = event.pointer("/workflow_job/id").and_then(Value::as_u64);
        let id = id.context("the payload is no workflow_job event")?.to_string();
        let text = std::str::from_utf8(payload)?;
        let body = text.replace(&id, &FIRST_JOB.to_string());
        let head = format!(
            "POST /webhook HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: GitHub-Hookshot/57a1d2c\r\nAccept: */*\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nX-GitHub-Event: workflow_job\r\n\
             X-GitHub-Hook-ID: 512345678\r\nX-GitHub-Hook-Installation-Target-Type: repository\r\n\
             X-GitHub-Hook-Installation-Target-ID: 701234567\r\nX-GitHub-Delivery: {GUID}\r\n\
             X-Hub-Signature-256: sha256={TAG}\r\n\r\n",
            body.len()
        );
        let at = |what: &str| head.find(what).context("the head has no room for it");
        let (guid, tag) = (at(GUID)?, at(TAG)?);
        let body_at = head.len();
        let jobs: Vec<usize> = body.match_indices(&FIRST_JOB.to_string()).map(|(at, _)| body_at + at).collect();
        ensure!(!jobs.is_empty(), "the payload does not name its job");
        let request = [head.into_bytes(), body.into_bytes()].concat();
        let key = Hmac::new_from_slice(SECRET.as_bytes())?;
        Ok(Self { request, guid, tag, body: body_at, jobs, key })
    }

    /// How long a body is, in bytes.
    pub(super) fn body_bytes(&self) -> usize {
        self.request.len() - self.body
    }

    /// The signature of the delivery of that number, as it stands in its head.
    pub(super) fn sign(&mut self, number: u32) -> [u8; 64] {
        self.number(number);
        let tag = self.key.clone().chain_update(&self.request[self.body..]).finalize().into_bytes();
        let mut digits = [0; 64];
        // There is room for 32 bytes.
        hex::encode_to_slice(tag, &mut digits).unwrap_or_default();
        digits
    }

    /// The whole request of that number.
    pub(super) fn request(&mut self, number: u32, tag: &[u8; 64]) -> &[u8] {
        self.number(number);
        let guid = format!("{number:08x}-7d7e-11ef-8000-{number:012x}");
        self.request[self.guid..self.guid + guid.len()].copy_from_slice(guid.as_bytes());
        self.request[self.tag..self.tag + tag.len()].copy_from_slice(tag);
        &self.request
    }

    fn number(&mut self, number: u32) {
        let digits = (FIRST_JOB + u64::from(number)).to_string();
        for &at in &self.jobs {
            self.request[at..at + digits.len()].copy_from_slice(digits.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;
    use crate::deliver::signature;

    #[test]
    fn each_delivery_has_a_job_a_guid_and_a_signature_of_its_own() {
        let payload = br#"{"workflow_job":{"id":289782451,"url":"https://x/jobs/289782451","labels":["a","b"]}}"#;
        let mut template = Template::of(payload).unwrap();
        assert_eq!(labels(payload).unwrap(), ["a", "b"]);
        let mut seen = Vec::new();
        for number in [0, 7] {
            let tag = template.sign(number);
            let request = String::from_utf8(template.request(number, &tag).to_vec()).unwrap();
            let (head, body) = request.split_once("\r\n\r\n").unwrap();
            let event: Value = serde_json::from_str(body).unwrap();
            assert_eq!(event["workflow_job"]["id"], FIRST_JOB + u64::from(number));
            assert_eq!(event["workflow_job"]["url"], format!("https://x/jobs/{}", FIRST_JOB + u64::from(number)));
            let signed = signature(&SecretString::from(SECRET), body.as_bytes());
            assert!(head.ends_with(&format!("X-Hub-Signature-256: {signed}")), "{head}");
            assert!(
                head.contains(&format!("Content-Length: {}\r\n", body.len())) && body.len() == template.body_bytes()
            );
            let guid = head.lines().find_map(|line| line.strip_prefix("X-GitHub-Delivery: ")).unwrap().to_owned();
            assert_eq!(guid.len(), 36);
            seen.push(guid);
        }
        assert_ne!(seen[0], seen[1]);
    }
}
