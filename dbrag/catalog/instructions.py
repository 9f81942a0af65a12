"""Telling a text that speaks to a model from one that speaks of data.

Comments and samples come from strangers, and descriptions are handed on to a model that writes SQL. This is the outer
fence: it knows the usual English phrases, and is kept short so that ordinary comments pass. What holds is elsewhere:
samples are sent as data between marks, and of an answer only short, checked fields are kept.
"""

import re
import unicodedata

_ROLE_TAGS = r"<\|? ?/?(?:system|assistant|user|im[ _]start|im[ _]end|endoftext) ?\|?>|\[/?INST\]|<</?SYS>>"
_TURN = r"(?:^|\n)\s*(?:#+ *)?(?:assistant|system|instruction)s? *:? *\n|\n\s*(?:assistant|system) *:"
_RULES = r"(?:instruction|prompt|rule|direction|guideline|message|command)s?"
_EARLIER = r"(?:previous|prior|preceding|above|earlier|foregoing|your|system)"
_PHRASES = (
    rf"\b(?:ignore|disregard|forget|override|bypass) (?:\w+ ){{0,4}}{_EARLIER} (?:\w+ ){{0,2}}{_RULES}\b",
    r"\b(?:ignore|disregard|forget) (?:all|any|these|those|the) instructions\b",
    r"\b(?:ignore|disregard|forget) (?:everything|anything|all) (?:above|before|else|you)\b",
    r"\byou are (?:now|no longer|chatgpt|an? (?:\w+ ){0,3}(?:ai|assistant|chatbot|language model|model|bot))\b",
    r"\b(?:from now on|henceforth),? you\b|\byou (?:must|will|shall) (?:now|always|never|only|not)\b",
    r"\b(?:act|behave|respond|answer) as (?:if you|an? (?:\w+ ){0,2}(?:ai|assistant|chatbot|model)\b)",
    r"\bpretend (?:to be|that you|you)\b|\bas an ai\b|\bas an? (?:large )?language model\b",
    rf"\bsystem prompt\b|\bnew {_RULES} ?:|\b(?:reveal|print|repeat|show|output) your (?:\w+ )?{_RULES}\b",
    r"\b(?:execute|run|call) (?:the following|this|these) (?:sql|command|code|query|script|statement|tool)s?\b",
    r"\b(?:respond|reply|answer) (?:only|exactly|always) (?:with|in|by)\b|\balways (?:respond|reply|answer)\b",
    r"\b(?:tell|inform|ask) the user\b|\b(?:do not|don't|never) (?:tell|inform|mention (?:this )?to) the user\b",
)
_RAW = re.compile(f"{_ROLE_TAGS}|{_TURN}", re.I)
_SPOKEN = re.compile("|".join(_PHRASES), re.I)


def reads_like_instructions(text: str) -> bool:
    """Whether it has a phrase that is aimed at a model; invisible signs and odd spacing do not hide one."""
    plain = "".join(sign for sign in unicodedata.normalize("NFKC", text) if unicodedata.category(sign) != "Cf")
    return bool(_RAW.search(plain) or _SPOKEN.search(re.sub(r"[\s_]+", " ", plain)))


def harmless(text: str | None) -> str | None:
    """The text on one line, unless there is none or it reads like instructions."""
    if text is None or reads_like_instructions(text):
        return None
    return on_one_line(text) or None


def on_one_line(text: str) -> str:
    """Without what PostgreSQL, a model or a terminal would stumble over."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
