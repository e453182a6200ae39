//! The methods of both eras, as a closed list with what routing needs to know of each (digest 1.2).

/// A request method.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Method {
    /// `server/discover`
    Discover,
    /// `tools/list`
    ToolsList,
    /// `tools/call`
    ToolsCall,
    /// `prompts/list`
    PromptsList,
    /// `prompts/get`
    PromptsGet,
    /// `resources/list`
    ResourcesList,
    /// `resources/templates/list`
    TemplatesList,
    /// `resources/read`
    ResourcesRead,
    /// `completion/complete`
    Complete,
    /// `subscriptions/listen`
    Listen,
    /// `tasks/get`, of the extension
    TasksGet,
    /// `tasks/update`, of the extension
    TasksUpdate,
    /// `tasks/cancel`, of the extension
    TasksCancel,
    /// `initialize`, legacy only
    Initialize,
    /// `ping`, legacy only
    Ping,
    /// `logging/setLevel`, legacy only
    SetLevel,
    /// `resources/subscribe`, legacy only
    Subscribe,
    /// `resources/unsubscribe`, legacy only
    Unsubscribe,
    /// Any other.
    Other(String),
}

const NAMED: [(&str, Method); 18] = [
    ("tools/call", Method::ToolsCall),
    ("server/discover", Method::Discover),
    ("tools/list", Method::ToolsList),
    ("prompts/list", Method::PromptsList),
    ("prompts/get", Method::PromptsGet),
    ("resources/list", Method::ResourcesList),
    ("resources/templates/list", Method::TemplatesList),
    ("resources/read", Method::ResourcesRead),
    ("completion/complete", Method::Complete),
    ("subscriptions/listen", Method::Listen),
    ("tasks/get", Method::TasksGet),
    ("tasks/update", Method::TasksUpdate),
    ("tasks/cancel", Method::TasksCancel),
    ("initialize", Method::Initialize),
    ("ping", Method::Ping),
    ("logging/setLevel", Method::SetLevel),
    ("resources/subscribe", Method::Subscribe),
    ("resources/unsubscribe", Method::Unsubscribe),
];

impl Method {
    /// The method named `text`.
    pub fn read(text: &str) -> Self {
        NAMED
            .iter()
            .find(|(name, _)| *name == text)
            .map_or_else(|| Self::Other(text.to_owned()), |(_, method)| method.clone())
    }

    /// The name on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Other(text) => text,
            known => NAMED.iter().find(|(_, method)| method == known).map_or("", |(name, _)| name),
        }
    }

    /// The member of `params` that `Mcp-Name` mirrors (digest 1.6), for the methods that have one.
    pub fn name_member(&self) -> Option<&'static str> {
        match self {
            Self::ToolsCall | Self::PromptsGet => Some("name"),
            Self::ResourcesRead => Some("uri"),
            Self::TasksGet | Self::TasksUpdate | Self::TasksCancel => Some(crate::task::ID),
            _ => None,
        }
    }

    /// Whether this is about a task that the client was given.
    pub fn is_of_task(&self) -> bool {
        matches!(self, Self::TasksGet | Self::TasksUpdate | Self::TasksCancel)
    }

    /// Whether asking twice does no harm, so that a lost answer may be asked for again.
    pub fn is_read(&self) -> bool {
        matches!(
            self,
            Self::Discover
                | Self::ToolsList
                | Self::PromptsList
                | Self::PromptsGet
                | Self::ResourcesList
                | Self::TemplatesList
                | Self::ResourcesRead
                | Self::Complete
                | Self::TasksGet
                | Self::Ping
        )
    }

    /// Whether this method exists in the modern era (digest 1.2).
    pub fn is_modern(&self) -> bool {
        matches!(
            self,
            Self::Discover
                | Self::ToolsList
                | Self::ToolsCall
                | Self::PromptsList
                | Self::PromptsGet
                | Self::ResourcesList
                | Self::TemplatesList
                | Self::ResourcesRead
                | Self::Complete
                | Self::Listen
                | Self::TasksGet
                | Self::TasksUpdate
                | Self::TasksCancel
        )
    }

    /// Whether only a modern client sends this method, so that it tells the era (digest 1.12.1).
    pub fn is_modern_only(&self) -> bool {
        matches!(self, Self::Discover | Self::Listen)
    }

    /// Whether a complete result carries `ttlMs` and `cacheScope` (digest 1.16).
    pub fn is_cacheable(&self) -> bool {
        matches!(
            self,
            Self::Discover
                | Self::ToolsList
                | Self::PromptsList
                | Self::ResourcesList
                | Self::TemplatesList
                | Self::ResourcesRead
        )
    }
}

/// Names of the notifications that the gateway understands.
pub mod notice {
    /// Progress of one request.
    pub const PROGRESS: &str = "notifications/progress";
    /// A log message.
    pub const MESSAGE: &str = "notifications/message";
    /// A request is no longer wanted.
    pub const CANCELLED: &str = "notifications/cancelled";
    /// The legacy handshake is done.
    pub const INITIALIZED: &str = "notifications/initialized";
    /// A listen is open; carries what it honours.
    pub const ACKNOWLEDGED: &str = "notifications/subscriptions/acknowledged";
    /// The tools changed.
    pub const TOOLS_CHANGED: &str = "notifications/tools/list_changed";
    /// The prompts changed.
    pub const PROMPTS_CHANGED: &str = "notifications/prompts/list_changed";
    /// The resources or templates changed.
    pub const RESOURCES_CHANGED: &str = "notifications/resources/list_changed";
    /// What a web page asked of a person is done (2025-11-25 only).
    pub const ELICITATION_COMPLETE: &str = "notifications/elicitation/complete";
    /// How a task is; on a listen that asks for it.
    pub const TASKS: &str = "notifications/tasks";
    /// A subscribed resource changed.
    pub const RESOURCE_UPDATED: &str = "notifications/resources/updated";
}
