//! The description of both listeners, as OpenAPI.

use std::{collections::BTreeMap, sync::LazyLock};

use actix_web::HttpResponse;
use shared::admin::Answer;
use utoipa::{
    IntoResponses, Modify, OpenApi,
    openapi::{
        ContentBuilder, OpenApi as Description, Ref, RefOr, Response, ResponseBuilder,
        security::{Http, HttpAuthScheme, SecurityScheme},
    },
};

use super::{dead, read};
use crate::webhook;

/// The document.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Autoscaler",
        description = "What ingest answers: on its public listener GitHub's deliveries (tag `public`), on its private one everything else. \
                       Times are RFC 3339 in UTC, durations in seconds. Fields may be added.",
    ),
    paths(
        read::status, read::runners, read::jobs, read::job, read::explain,
        dead::list, dead::replay, dead::drop, document,
        shared::admin::livez, shared::admin::readyz, shared::admin::metrics,
        webhook::receive::receive, webhook::routes::heartbeat,
    ),
    components(schemas(Answer<'static>)),
    security(("token" = []), ("password" = [])),
    modifiers(&Complete),
)]
struct Document;

/// Adds what the attributes cannot say.
struct Complete;

impl Modify for Complete {
    fn modify(&self, document: &mut Description) {
        let components = document.components.get_or_insert_default();
        for (name, scheme) in [("token", HttpAuthScheme::Bearer), ("password", HttpAuthScheme::Basic)] {
            components.add_security_scheme(name, SecurityScheme::Http(Http::new(scheme)));
        }
        // The same handler.
        let Some(deliveries) = document.paths.paths.get("/webhook").cloned() else { return };
        for (path, id) in
            [("/webhook/repo/docker", "deliver_repository"), ("/webhook/org/docker", "deliver_organization")]
        {
            let mut deliveries = deliveries.clone();
            if let Some(post) = &mut deliveries.post {
                post.operation_id = Some(id.to_owned());
            }
            document.paths.paths.insert(path.to_owned(), deliveries);
        }
    }
}

static TEXT: LazyLock<String> = LazyLock::new(|| description().to_pretty_json().unwrap_or_default());

/// The description.
pub(crate) fn description() -> Description {
    Document::openapi()
}

/// This description
#[utoipa::path(
    get, path = "/api/v1/openapi.json", tag = "description",
    responses((status = 200, body = serde_json::Value, description = "OpenAPI 3.1"), Refused),
)]
pub(super) async fn document() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(TEXT.as_str())
}

/// What any request may be answered.
pub(super) struct Refused;

impl IntoResponses for Refused {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        answers(&[
            (401, "The token is missing or wrong"),
            (421, "Without a token, the listener answers to the names of its own machine alone"),
            (503, "The queue is away, or did not answer in time: try again"),
        ])
    }
}

/// What a request may be answered that can ask for something which there is not.
pub(super) struct Invalid;

impl IntoResponses for Invalid {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        answers(&[(400, "A parameter or a field is none that there is, or has no such value")])
    }
}

/// What a request may be answered that changes something.
pub(super) struct Changed;

impl IntoResponses for Changed {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        answers(&[
            (
                403,
                "It may come from a page of another site: with the password, send X-CSRF-Token; or send the token as Bearer",
            ),
            (408, "The body did not arrive"),
            (413, "The body is too large"),
            (415, "The content type is not application/json"),
        ])
    }
}

fn answers(cases: &[(u16, &str)]) -> BTreeMap<String, RefOr<Response>> {
    let answer = |description: &str| {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Answer"))).build();
        ResponseBuilder::new().description(description).content("application/json", content).build()
    };
    cases.iter().map(|(code, description)| (code.to_string(), answer(description).into())).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    #[test]
    fn everything_of_the_api_is_described_and_nothing_else() {
        let described = description();
        let described: Vec<&str> =
            described.paths.paths.keys().map(String::as_str).filter(|path| path.starts_with("/api/")).collect();
        let mut served: Vec<&str> = super::super::resources().iter().map(|(path, _)| *path).collect();
        served.sort_unstable();
        assert_eq!(described, served);
    }

    /// The rows of a table of requests: request, what it is for, and its parameters or the fields of its body.
    fn rows(description: &Description) -> Vec<[String; 3]> {
        let json = serde_json::to_value(description).unwrap();
        let names = |list: &Value, key: &str| -> Vec<String> {
            list.as_array().into_iter().flatten().map(|it| format!("`{}`", it[key].as_str().unwrap())).collect()
        };
        let mut rows = Vec::new();
        for (path, item) in json["paths"].as_object().unwrap().iter().filter(|(path, _)| path.starts_with("/api/")) {
            for (method, operation) in item.as_object().unwrap() {
                let mut taken = names(&operation["parameters"], "name");
                if operation.get("requestBody").is_some() {
                    let fields = json["components"]["schemas"]["Change"]["properties"].as_object().unwrap();
                    taken.extend(fields.keys().map(|field| format!("`{field}`")));
                }
                taken.sort();
                let summary = operation["summary"].as_str().unwrap().to_owned();
                rows.push([format!("`{} {path}`", method.to_uppercase()), summary, taken.join(", ")]);
            }
        }
        rows
    }

    #[test]
    fn the_documentation_has_every_request_with_its_parameters() {
        let text = include_str!("../../../../docs/http-api.md");
        let mut said: Vec<[String; 3]> = devstack::readme::table(text, "request")
            .into_iter()
            .map(|row| {
                let [request, summary, parameters] = <[String; 3]>::try_from(row).unwrap();
                let mut parameters: Vec<&str> = parameters.split(", ").collect();
                parameters.sort_unstable();
                [request, summary, parameters.join(", ")]
            })
            .collect();
        let mut described = rows(&description());
        said.sort();
        described.sort();
        assert_eq!(said, described);
    }

    #[test]
    fn the_documentation_has_every_answer_that_is_no_success() {
        let json = serde_json::to_value(description()).unwrap();
        let operations = json["paths"].as_object().unwrap().iter().filter(|(path, _)| path.starts_with("/api/"));
        let operations = operations.flat_map(|(_, item)| item.as_object().unwrap().values());
        let codes = operations.flat_map(|operation| operation["responses"].as_object().unwrap().keys());
        // Every path answers so to a method that it has not.
        let described: BTreeSet<String> =
            codes.filter(|code| !code.starts_with('2')).cloned().chain(["405".to_owned()]).collect();
        let said = devstack::readme::table(include_str!("../../../../docs/http-api.md"), "answer");
        assert_eq!(said.iter().map(|row| row[0][..3].to_owned()).collect::<BTreeSet<_>>(), described);
    }

    /// What a field is, for people: `schema` is its schema, or part of one.
    fn kind(schemas: &Value, schema: &Value) -> String {
        if let Some(name) = schema["$ref"].as_str().and_then(|at| at.rsplit('/').next()) {
            let is_word = schemas[name].get("enum").is_some();
            let is_object = schemas[name]["type"] == "object";
            return if is_word || is_object { format!("`{name}`") } else { kind(schemas, &schemas[name]) };
        }
        if let Some(either) = schema["oneOf"].as_array() {
            return either.iter().map(|one| kind(schemas, one)).collect::<Vec<_>>().join(" or ");
        }
        let types: Vec<&str> = match &schema["type"] {
            Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
            one => one.as_str().into_iter().collect(),
        };
        let word = |of: &&str| match *of {
            "string" if schema["format"] == "date-time" => "time".to_owned(),
            "string" => "text".to_owned(),
            "integer" => "number".to_owned(),
            "array" => format!("array of {}", kind(schemas, &schema["items"])),
            other => other.to_owned(),
        };
        types.iter().map(word).collect::<Vec<_>>().join(" or ")
    }

    /// What a field says; of one that may be null, its other part says it.
    fn meaning(schema: &Value) -> String {
        let mut parts = std::iter::once(schema).chain(schema["oneOf"].as_array().into_iter().flatten());
        let said = parts.find_map(|part| part["description"].as_str()).unwrap_or_default();
        // Links of rustdoc lead nowhere here.
        let mut parts = said.split("](Self::");
        let first = parts.next().unwrap_or_default();
        let rest = parts.map(|part| part.split_once(')').map_or("", |(_target, rest)| rest));
        let said = std::iter::once(first).chain(rest).collect::<String>().replace("[`", "`");
        said.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_documentation_of_the_commands_has_every_field_of_their_json_and_every_word() {
        let json = serde_json::to_value(description()).unwrap();
        let schemas = &json["components"]["schemas"];
        let text = include_str!("../../../../docs/commands.md");
        let mut sections = 0;
        for section in text.split("\n### `").skip(1) {
            let (name, section) = section.split_once('`').unwrap();
            let schema = &schemas[name];
            if let Some(words) = schema["enum"].as_array() {
                let words: Vec<String> = words.iter().map(|word| format!("`{}`", word.as_str().unwrap())).collect();
                assert!(section.contains(&words.join(", ")), "{name}: {words:?}");
            } else {
                let fields = schema["properties"].as_object().unwrap_or_else(|| panic!("there is no {name}"));
                let row = |(field, schema): (&String, &Value)| {
                    vec![format!("`{field}`"), kind(schemas, schema), meaning(schema)]
                };
                let mut said = devstack::readme::table(section, "field");
                said.sort();
                assert_eq!(said, fields.iter().map(row).collect::<Vec<_>>(), "{name}");
            }
            sections += 1;
        }
        let named = schemas.as_object().unwrap().iter().filter(|(name, schema)| {
            !["Answer", "Change"].contains(&name.as_str())
                && (schema["type"] == "object" || schema.get("enum").is_some())
        });
        assert_eq!(sections, named.count());
    }
}
