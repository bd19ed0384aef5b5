//! Runs the scripts, in the Lua that Redis has.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
};

use mlua::{Function, Lua, LuaString, MultiValue, Table};
use redis::Value;

use super::{
    command,
    tables::{CommandError, Done, Tables},
};
use crate::queue::script::Script;

/// A Lua with the scripts that it has run so far.
pub(super) struct Interpreter {
    lua: Lua,
    ready: RefCell<HashMap<&'static str, Function>>,
    /// What SQLite refused a script: Lua would make a text of it.
    refused: Rc<Cell<Option<rusqlite::Error>>>,
}

impl Interpreter {
    /// One whose scripts work on these tables.
    pub(super) fn new(tables: Rc<Tables>) -> mlua::Result<Self> {
        let lua = Lua::new();
        let refused = Rc::new(Cell::new(None));
        let redis = lua.create_table()?;
        redis.set("call", lua.create_function(call(tables, Rc::clone(&refused)))?)?;
        redis.set("error_reply", lua.create_function(error_reply)?)?;
        lua.globals().set("redis", redis)?;
        Ok(Self { lua, ready: RefCell::default(), refused })
    }

    /// Runs a script. The first of `arguments` is its key.
    pub(super) fn run(&self, script: &'static Script, arguments: &[Vec<u8>]) -> Done<Value> {
        self.run_in_lua(script, arguments).map_err(|error| match self.refused.take() {
            Some(refused) => CommandError::Sqlite(refused),
            None => CommandError::Wrong(error.to_string()),
        })?
    }

    /// The outer result is Lua's, and the inner one the script's own.
    fn run_in_lua(&self, script: &'static Script, arguments: &[Vec<u8>]) -> mlua::Result<Done<Value>> {
        let strings = |bytes: &[Vec<u8>]| -> mlua::Result<Table> {
            self.lua.create_sequence_from(
                bytes.iter().map(|bytes| self.lua.create_string(bytes)).collect::<mlua::Result<Vec<_>>>()?,
            )
        };
        let (key, others) = arguments.split_at(1.min(arguments.len()));
        let globals = self.lua.globals();
        globals.set("KEYS", strings(key)?)?;
        globals.set("ARGV", strings(others)?)?;
        let answer: mlua::Value = self.ready(script)?.call(())?;
        if let mlua::Value::Table(table) = &answer
            && let Some(text) = table.get::<Option<String>>("err")?
        {
            return Ok(Err(CommandError::Refused(text)));
        }
        from_lua(&answer).map(Ok)
    }

    fn ready(&self, script: &'static Script) -> mlua::Result<Function> {
        if let Some(function) = self.ready.borrow().get(script.sha1()) {
            return Ok(function.clone());
        }
        // The first line is Redis' own. What stands for it is empty, so that errors name the right line.
        let code = script.code().trim_start_matches(|letter| letter != '\n');
        let function = self.lua.load(code).set_name("=script").into_function()?;
        self.ready.borrow_mut().insert(script.sha1(), function.clone());
        Ok(function)
    }
}

/// `redis.error_reply`: what a script returns to answer with an error.
fn error_reply(lua: &Lua, text: LuaString) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    table.set("err", text)?;
    Ok(table)
}

/// `redis.call`.
fn call(
    tables: Rc<Tables>,
    refused: Rc<Cell<Option<rusqlite::Error>>>,
) -> impl Fn(&Lua, MultiValue) -> mlua::Result<mlua::Value> + 'static {
    move |lua, arguments| {
        let command = arguments.iter().map(bytes).collect::<mlua::Result<Vec<_>>>()?;
        match command::run(&tables, &command) {
            Ok(answer) => to_lua(lua, answer),
            Err(CommandError::Sqlite(error)) => {
                let text = error.to_string();
                refused.set(Some(error));
                Err(mlua::Error::RuntimeError(text))
            }
            Err(CommandError::Wrong(problem) | CommandError::Refused(problem)) => {
                Err(mlua::Error::RuntimeError(problem))
            }
        }
    }
}

/// An argument of a command.
fn bytes(value: &mlua::Value) -> mlua::Result<Vec<u8>> {
    match value {
        mlua::Value::String(string) => Ok(string.as_bytes().to_vec()),
        mlua::Value::Integer(number) => Ok(number.to_string().into_bytes()),
        mlua::Value::Number(number) => Ok(number.to_string().into_bytes()),
        other => Err(mlua::Error::RuntimeError(format!("an argument is a {}", other.type_name()))),
    }
}

/// What a command answers, as Redis gives it to scripts: what is not there is `false`.
fn to_lua(lua: &Lua, value: Value) -> mlua::Result<mlua::Value> {
    Ok(match value {
        Value::Nil => mlua::Value::Boolean(false),
        Value::Int(number) => mlua::Value::Integer(number),
        Value::BulkString(bytes) => mlua::Value::String(lua.create_string(bytes)?),
        Value::Array(values) => {
            let values: Vec<mlua::Value> =
                values.into_iter().map(|value| to_lua(lua, value)).collect::<mlua::Result<_>>()?;
            mlua::Value::Table(lua.create_sequence_from(values)?)
        }
        _ => {
            let table = lua.create_table()?;
            table.set("ok", "OK")?;
            mlua::Value::Table(table)
        }
    })
}

/// What a script answers, as Redis passes it on: numbers are whole, and a table ends where something is not there.
fn from_lua(value: &mlua::Value) -> mlua::Result<Value> {
    Ok(match value {
        mlua::Value::Nil | mlua::Value::Boolean(false) => Value::Nil,
        mlua::Value::Boolean(true) => Value::Int(1),
        mlua::Value::Integer(number) => Value::Int(*number),
        #[allow(clippy::cast_possible_truncation, reason = "as Redis does it")]
        mlua::Value::Number(number) => Value::Int(*number as i64),
        mlua::Value::String(string) => Value::BulkString(string.as_bytes().to_vec()),
        mlua::Value::Table(table) => {
            let values = table.sequence_values::<mlua::Value>();
            Value::Array(values.map(|value| from_lua(&value?)).collect::<mlua::Result<_>>()?)
        }
        other => return Err(mlua::Error::RuntimeError(format!("the answer is a {}", other.type_name()))),
    })
}
