//! How the nouns are written in JSON, for the description of the API.

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{ArrayBuilder, KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type},
    },
};

use super::{Age, JobId, Label, Labels, PoolName, RepositoryName, RunnerName, Scope, WorkerName};

/// Text of a form.
macro_rules! text {
    ($($type:ident: $pattern:literal, such as $example:literal;)*) => { $(
        impl PartialSchema for $type {
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::new().schema_type(Type::String).pattern(Some($pattern)).examples([$example]).into()
            }
        }

        impl ToSchema for $type {}
    )* };
}

text! {
    Age: "^[0-9]{1,9}[smhd]$", such as "12h";
    Label: "^[^,]{1,256}$", such as "self-hosted";
    PoolName: "^[a-zA-Z0-9_.-]{1,40}$", such as "default";
    RepositoryName: "^[a-zA-Z0-9_-]{1,100}/[.]{0,2}[a-zA-Z0-9_-][a-zA-Z0-9_.-]{0,97}$", such as "octo-org/octo-repo";
    RunnerName: "^[^\"/:<>|*?\\\\]{1,64}$", such as "gha-42-1";
    Scope: "^([a-zA-Z0-9_-]{1,100}|[a-zA-Z0-9_-]{1,100}/[.]{0,2}[a-zA-Z0-9_-][a-zA-Z0-9_.-]{0,97})$", such as "octo-org/octo-repo";
    WorkerName: "^[a-zA-Z0-9_.-]{1,64}$", such as "host-1";
}

impl PartialSchema for JobId {
    fn schema() -> RefOr<Schema> {
        let number =
            ObjectBuilder::new().schema_type(Type::Integer).format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)));
        number.minimum(Some(1)).maximum(Some(i64::MAX)).examples([42]).into()
    }
}

impl ToSchema for JobId {}

impl PartialSchema for Labels {
    fn schema() -> RefOr<Schema> {
        ArrayBuilder::new().items(Label::schema()).max_items(Some(100)).into()
    }
}

impl ToSchema for Labels {}
