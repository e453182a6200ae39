//! What a client said that it can be asked, and what a question needs.

use super::Question;
use crate::json::{Members, ObjectWriter};
use crate::{Raw, Version};

/// Which questions a client answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Abilities {
    /// Elicitation by a form.
    pub form: bool,
    /// Elicitation by a web page.
    pub url: bool,
    /// Sampling.
    pub sampling: bool,
    /// Sampling with tools.
    pub tools: bool,
    /// Roots.
    pub roots: bool,
}

impl Abilities {
    /// All that a gateway can pass on.
    pub const ALL: Self = Self { form: true, url: true, sampling: true, tools: true, roots: true };

    /// How many sets of them there are.
    pub const SETS: usize = 1 << 5;

    /// Those of either.
    #[must_use]
    pub fn and(self, more: Self) -> Self {
        Self::of_number(self.number() | more.number()).unwrap_or(self)
    }

    /// The number of this set, below [`Self::SETS`].
    pub fn number(self) -> u8 {
        let all = [self.form, self.url, self.sampling, self.tools, self.roots];
        all.iter().rev().fold(0, |number, has| number << 1 | u8::from(*has))
    }

    /// The set of this number.
    pub fn of_number(number: u8) -> Option<Self> {
        let has = |bit: u8| number >> bit & 1 == 1;
        (usize::from(number) < Self::SETS).then(|| Self {
            form: has(0),
            url: has(1),
            sampling: has(2),
            tools: has(3),
            roots: has(4),
        })
    }

    /// Reads `ClientCapabilities` of the modern era; what cannot be read is not there.
    pub fn read(capabilities: &Raw) -> Self {
        let Ok(members) = Members::read(capabilities) else { return Self::default() };
        let object = |key: &str| members.get(key).and_then(|text| Members::read(text).ok());
        let (elicitation, sampling) = (object("elicitation"), object("sampling"));
        let mode = |name: &str| elicitation.as_ref().is_some_and(|modes| modes.get(name).is_some());
        let (form, url) = (mode("form"), mode("url"));
        Self {
            // No mode at all means forms, as it did before there were modes.
            form: form || (elicitation.is_some() && !url),
            url,
            sampling: sampling.is_some(),
            tools: sampling.is_some_and(|sampling| sampling.get("tools").is_some()),
            roots: object("roots").is_some(),
        }
    }

    /// Reads the capabilities of a handshake that agreed on `version`: what that version does not
    /// have is not there (digest 1.17).
    pub fn of_handshake(capabilities: &Raw, version: Version) -> Self {
        let said = Self::read(capabilities);
        let elicits = version >= Version::V2025_06_18;
        let newest = version >= Version::V2025_11_25;
        Self {
            form: elicits && (said.form || (!newest && said.url)),
            url: newest && said.url,
            tools: newest && said.tools,
            ..said
        }
    }

    /// Whether there is anything that the client can be asked.
    pub fn any(self) -> bool {
        self != Self::default()
    }

    /// The capabilities that `question` needs and that are not there; `None` when all are.
    pub fn lacks(self, question: Question, params: &Raw) -> Option<Raw> {
        let members = Members::read(params).ok();
        let get = |key: &str| members.as_ref().and_then(|members| members.get(key));
        let within = |outer: &str, key: &str| {
            let inside = ObjectWriter::new().raw(key, "{}").finish();
            ObjectWriter::new().raw(outer, &inside).finish()
        };
        let plain = |key: &str| ObjectWriter::new().raw(key, "{}").finish();
        match question {
            Question::Elicitation => {
                let mode = members.as_ref().and_then(|members| members.get_string("mode"));
                let mode = mode.as_deref().unwrap_or("form");
                let has = (mode == "form" && self.form) || (mode == "url" && self.url);
                (!has).then(|| within("elicitation", mode))
            }
            Question::Sampling if !self.sampling => Some(plain("sampling")),
            Question::Sampling => {
                let uses_tools = get("tools").is_some() || get("toolChoice").is_some();
                (uses_tools && !self.tools).then(|| within("sampling", "tools"))
            }
            Question::Roots => (!self.roots).then(|| plain("roots")),
        }
    }

    /// As `ClientCapabilities`.
    pub fn to_raw(self) -> Raw {
        let part = |has: bool| has.then_some("{}");
        let mut object = ObjectWriter::new();
        if self.form || self.url {
            let modes = ObjectWriter::new();
            let modes = modes.optional("form", part(self.form)).optional("url", part(self.url));
            object = object.raw("elicitation", &modes.finish());
        }
        if self.sampling {
            let sampling = ObjectWriter::new().optional("tools", part(self.tools)).finish();
            object = object.raw("sampling", &sampling);
        }
        object.optional("roots", part(self.roots)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn raw(text: &'static str) -> Raw {
        Raw::from_static(text)
    }

    #[test]
    fn each_version_has_its_own_questions() {
        let said = raw(r#"{"elicitation":{"url":{}},"sampling":{"tools":{}},"roots":{},"x":1}"#);
        let mut shown = String::new();
        for version in Version::ALL {
            let has = Abilities::of_handshake(&said, version).to_raw();
            shown.push_str(&format!("{version} {}\n", has.as_str()));
        }
        expect![[r#"
            2024-11-05 {"sampling":{},"roots":{}}
            2025-03-26 {"sampling":{},"roots":{}}
            2025-06-18 {"elicitation":{"form":{}},"sampling":{},"roots":{}}
            2025-11-25 {"elicitation":{"url":{}},"sampling":{"tools":{}},"roots":{}}
            2026-07-28 {"elicitation":{"url":{}},"sampling":{"tools":{}},"roots":{}}
        "#]]
        .assert_eq(&shown);
    }

    #[test]
    fn each_set_has_a_number() {
        for number in 0..32 {
            let set = Abilities::of_number(number).expect("a set");
            assert_eq!(set.number(), number);
            assert_eq!(set.and(Abilities::default()), set);
            assert_eq!(set.and(Abilities::ALL), Abilities::ALL);
        }
        assert_eq!(Abilities::of_number(32), None);
        assert_eq!(usize::from(Abilities::ALL.number()) + 1, Abilities::SETS);
    }

    #[test]
    fn c112_what_a_question_needs_is_named() {
        let form = Abilities::read(&raw(r#"{"elicitation":{},"sampling":{}}"#));
        let lacks = |question, params| form.lacks(question, &raw(params));
        assert_eq!(lacks(Question::Elicitation, "{}"), None);
        assert_eq!(lacks(Question::Sampling, "{}"), None);
        let named = |question, params| lacks(question, params).map(|raw| raw.to_string());
        let shown = [
            named(Question::Elicitation, r#"{"mode":"url"}"#),
            named(Question::Sampling, r#"{"tools":[]}"#),
            named(Question::Roots, "{}"),
        ];
        expect![[r#"[Some("{\"elicitation\":{\"url\":{}}}"), Some("{\"sampling\":{\"tools\":{}}}"), Some("{\"roots\":{}}")]"#]]
            .assert_eq(&format!("{shown:?}"));
    }
}
