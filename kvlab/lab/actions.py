"""Actions: what a key does. One list feeds the key bindings, the footer, the palette and the help.

An action that touches the cluster is nothing but a line of the scenario language: `line` writes it, the
lab does it as if it had been typed, and so everything done with keys can be kept as a script. An action
without a `line` concerns the screen alone, and the application has a method of its name.

`why_not` says why an action makes no sense at this moment; the footer then shows it grey, and whoever
presses its key anyway is told.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from kvlab.config import NODES_MAX
from kvlab.lab.view import Hint, Tab, View
from kvlab.messages import NodeId
from kvlab.script.help import Page
from kvlab.script.words import quoted
from kvlab.trace.events import LineFailed, Said

VALUES = ("milk", "bread", "eggs", "tea", "honey")
SLOW_MS = 500
LOAD_S = 30
LOAD_RATES = (5, 10, 20, 50, 100, 200, 500, 1000, 2000)
"""Operations a second."""


def _always(view: View) -> str:
    return ""


def _nobody(view: View) -> list[NodeId]:
    return []


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """`nodes` are those it can be done to now; an action that has `needs_node` asks for one of them."""

    key: str
    """As Textual names it."""
    name: str
    label: str
    help: str
    shown_key: str = ""
    """As the footer shows it, if not as `key`."""
    why_not: Callable[[View], str] = _always
    line: Callable[[View, str], str] | None = None
    needs_node: bool = False
    asks: str = "which node"
    """What it asks for; `nodes` may be other names than those of nodes."""
    nodes: Callable[[View], list[NodeId]] = _nobody
    in_footer: bool = True
    tab: Tab | None = None
    """The tab that it opens."""
    tabs: tuple[Tab, ...] = ()
    """The tabs on which it means something; () if it does on all."""
    typed: str = ""
    """What is typed for it at the command line, if neither its line nor its label."""
    label_now: Callable[[View], str] | None = None
    """Its label, where that depends."""

    def named(self, number: str) -> str:
        """What is meant by this number."""
        return f"n{number}" if self.asks == "which node" else number

    def hint(self, view: View) -> Hint:
        label = self.label if self.label_now is None else self.label_now(view)
        return Hint(self.shown_key or self.key, label, self.help, self.refusal(view), self.name)

    @property
    def word(self) -> str:
        """What is typed for it; "" for one that is typed as its line."""
        return "" if self.line is not None else self.typed or self.label

    def refusal(self, view: View) -> str:
        """Why it cannot be done now, "" if it can."""
        if self.line is not None and view.why_not_do:
            return view.why_not_do
        if self.line is not None and not view.ready:
            return "the cluster is still starting"
        if self.tabs and view.tab not in self.tabs:
            keys = " or ".join(f"{tab.key} ({tab.label})" for tab in TAB_ACTIONS if tab.tab in self.tabs)
            return f"open its tab first: {keys}"
        return self.why_not(view)


# -- when they make sense ------------------------------------------------------------------------


def _nobody_up(view: View) -> str:
    if view.in_state("up"):
        return ""
    ways = ["r restarts one"] if view.in_state("down") else []
    ways += ["z lets a paused one go on"] if view.in_state("paused") else []
    return "; ".join(["no node is up", *ways])


def _none_in(*states: str) -> Callable[[View], str]:
    """A reason if no node is in one of these states."""

    def why_not(view: View) -> str:
        return "" if view.in_state(*states) else f"no node is {' or '.join(states)}"

    return why_not


def _alone(view: View) -> str:
    """A reason if there is no network between nodes."""
    if view.stage.nodes_max == 1:
        return f"{view.stage.title}, is one node: there is no network to cut or slow"
    return "" if len(view.nodes) > 1 else "there is one node, so no network"


def _cannot_cut(view: View) -> str:
    if view.groups:
        return "the network is cut already; h heals it"
    return _alone(view)


def _nothing_ails(view: View) -> str:
    return _alone(view) or ("" if view.groups or view.links else "the network is well")


def _cannot_add(view: View) -> str:
    if not view.stage.ring:
        return f"{view.stage.title}, has no ring to join; stage 3 adds it"
    if view.phase:
        return "the ring is changing; wait until it has"
    return "" if len(view.nodes) < NODES_MAX else f"{NODES_MAX} nodes are all that one screen holds"


def _cannot_remove(view: View) -> str:
    if not view.stage.ring:
        return f"{view.stage.title}, has no ring to leave; stage 3 adds it"
    if view.phase:
        return "the ring is changing; wait until it has"
    return "" if len(view.nodes) > 1 else "the last node cannot leave: nobody could take its keys"


def _no_step(view: View) -> str:
    if view.moment.kind == "live" and not view.moment.behind:
        return "processes cannot be stepped: kvlab lab N --world sim can; b looks back"
    return _not_ready(view)


def _no_speed(view: View) -> str:
    if view.moment.kind == "live":
        return "processes go at their own pace; kvlab lab N --world sim can be slower"
    return ""


def _not_ready(view: View) -> str:
    """A reason if there is nothing to look back on."""
    return "" if view.ready or view.moment.behind else "the cluster is still starting"


def _no_later(view: View) -> str:
    if view.moment.kind == "live" and not view.moment.behind:
        return "this is the present; b and < look back"
    return _not_ready(view)


def _present(view: View) -> str:
    return "" if view.moment.behind else "this is the present"


def _end_label(view: View) -> str:
    return "end" if view.moment.kind == "replay" else "present"


def _held_label(view: View) -> str:
    """What space does now."""
    if view.moment.kind == "replay":
        return "play" if view.moment.held else "hold"
    if not view.moment.held:
        return "hold"
    return "go on"


def _no_messages(view: View) -> str:
    if view.stage.nodes_max == 1:
        return f"{view.stage.title}, is one node: nothing travels between nodes; stage 2 has messages"
    return ""


def _nothing_done(view: View) -> str:
    return "" if len(view.log) > 1 else "nothing was done yet that could be saved"


def _not_in_hand(view: View) -> str:
    if not view.in_hand:
        return view.why_not_do or "real messages are in nobody's hands; kvlab lab N --world sim holds them"
    return "" if view.message else "no message is under way; space holds the world, w writes, n makes a step"


def _nothing_to_choose(view: View) -> str:
    if view.tab == "data":
        return "" if len(view.keys) > 1 else "there is no other key to choose yet"
    return _not_in_hand(view) if view.tab == "messages" else ""


def _one_operation(view: View) -> str:
    return "" if view.op is not None and view.op.of > 1 else "there is no other operation yet"


def _no_events(view: View) -> str:
    if view.tab not in ("operation", "code"):
        return "events are chosen where they are shown: 2 is the operation, 6 the code"
    return "" if view.op is not None else "there is no operation yet"


# -- their lines ---------------------------------------------------------------------------------


def put_line(view: View, _: str = "") -> str:
    """Write the selected key: each time the next value."""
    return f"put {quoted(view.key)} {next_value(view)}"


def next_value(view: View) -> str:
    """The value after the one written last: that of the operation shown, or of the last put line."""
    for entry in reversed(view.log):
        if isinstance(entry, Said) or (isinstance(entry, LineFailed) and entry.how == "not done"):
            continue
        words = entry.line.split()
        if len(words) > 2 and words[0] == "put" and words[2] in VALUES:
            return VALUES[(VALUES.index(words[2]) + 1) % len(VALUES)]
    return VALUES[0]


def load_line(view: View, rate: int = 0) -> str:
    """Begin a load, of this rate or else of that which was chosen."""
    return f"load {rate or view.load_rate}/s for {LOAD_S}s"


def load_rate(view: View, by: int) -> int:
    """The rate that is so many steps from the present one, up to the ends of the scale."""
    at = min(range(len(LOAD_RATES)), key=lambda i: abs(LOAD_RATES[i] - view.load_rate))
    return LOAD_RATES[min(max(0, at + by), len(LOAD_RATES) - 1)]


def halves(view: View) -> str:
    """A cut through the middle: the smaller half first."""
    names = [node.node for node in view.nodes]
    half = len(names) // 2
    return f"partition {' '.join(names[:half])} | {' '.join(names[half:])}"


def pause_line(view: View, node: str) -> str:
    """Pause a node that runs, resume one that is paused."""
    found = view.node(node)
    return f"{'resume' if found is not None and found.state == 'paused' else 'pause'} {node}"


def next_name(view: View) -> str:
    """The first free name, as the world chooses it."""
    taken = {node.node for node in view.nodes}
    return next(f"n{i}" for i in range(1, NODES_MAX + 2) if f"n{i}" not in taken)


# -- the tabs ------------------------------------------------------------------------------------


def _tab(key: str, tab: Tab, why_not: Callable[[View], str] = _always) -> Action:
    """One of the six; a tab that has nothing to show in a stage says why."""
    return Action(
        key=key, name=f"show_{tab}", label=tab, typed=f"show {tab}", tab=tab, why_not=why_not,
        in_footer=False,
        help="the tabs: the cluster, one operation, data, messages, load, code",
    )  # fmt: skip


TAB_ACTIONS = (
    _tab("1", "cluster"),
    _tab("2", "operation"),
    _tab("3", "data"),
    _tab("4", "messages", _no_messages),
    _tab("5", "load"),
    _tab("6", "code"),
)

# -- the list ------------------------------------------------------------------------------------

ACTIONS = (
    *TAB_ACTIONS,
    Action(
        key="w", name="put", label="put", why_not=_nobody_up, line=put_line,
        help="write the key shown, through the first node that is up",
    ),
    Action(
        key="g", name="get", label="get", why_not=_nobody_up,
        line=lambda view, _: f"get {quoted(view.key)}",
        help="read the key shown",
    ),
    Action(
        key="k", name="kill", label="kill", why_not=_none_in("up", "paused"), needs_node=True,
        nodes=lambda view: view.in_state("up", "paused"), line=lambda _, node: f"kill {node}",
        help="k and a node's number: end its process at once; its memory is gone",
    ),
    Action(
        key="r", name="restart", label="restart", why_not=_none_in("down"), needs_node=True,
        nodes=lambda view: view.in_state("down"), line=lambda _, node: f"restart {node}",
        help="r and its number: start a killed node again, as itself, but empty",
    ),
    Action(
        key="z", name="freeze", label="pause", why_not=_none_in("up", "paused"), needs_node=True,
        nodes=lambda view: view.in_state("up", "paused"), line=pause_line,
        help="z and its number: stop a node where it stands, or let it go on",
    ),
    Action(
        key="p", name="partition", label="cut", why_not=_cannot_cut, line=lambda view, _: halves(view),
        help="cut the network in two: across the cut there is only silence",
    ),
    Action(
        key="h", name="heal", label="heal", why_not=_nothing_ails, line=lambda *_: "heal",
        help="mend the network: no cut, no delay, no loss",
    ),
    Action(
        key="s", name="slow", label="slow", why_not=_alone, needs_node=True,
        nodes=lambda view: [node.node for node in view.nodes],
        line=lambda _, node: f"slow {node} {SLOW_MS}ms",
        help=f"s and its number: {SLOW_MS} ms more for all it sends and receives",
    ),
    Action(
        key="a", name="add", label="add", why_not=_cannot_add, line=lambda view, _: f"add {next_name(view)}",
        help="start a new node; it joins the ring and takes its share of the keys",
    ),
    Action(
        key="x", name="remove", label="remove", why_not=_cannot_remove, needs_node=True,
        nodes=lambda view: view.in_state("up", "down"), line=lambda _, node: f"remove {node}",
        help="x and its number: hand over its keys and leave the ring",
    ),
    Action(
        key="up", name="upwards", label="up", tabs=("data", "messages", "load"),
        why_not=_nothing_to_choose, in_footer=False,
        help="data, messages: choose another one; load: a lower or higher rate",
    ),
    Action(
        key="down", name="downwards", label="choose", typed="down", tabs=("data", "messages", "load"),
        why_not=_nothing_to_choose,
        help="data, messages: choose another one; load: a lower or higher rate",
    ),
    Action(
        key="enter", name="deliver", label="deliver", tabs=("messages",),
        why_not=_not_in_hand, line=lambda view, _: f"message {view.message} now",
        help="messages: the one chosen arrives now, before all others",
    ),
    Action(
        key="d", name="drop", label="drop", tabs=("messages",), why_not=_not_in_hand,
        line=lambda view, _: f"message {view.message} lost",
        help="messages: the one chosen never arrives",
    ),
    Action(
        key="t", name="twice", label="twice", tabs=("messages",), why_not=_not_in_hand,
        line=lambda view, _: f"message {view.message} twice",
        help="messages: the one chosen arrives twice",
    ),
    Action(
        key="i", name="heartbeats", label="heartbeats", tabs=("messages",),
        help="messages: show heartbeats too, or hide them",
    ),
    Action(
        key="l", name="load", label="load", tabs=("load",), why_not=_nobody_up,
        line=lambda view, _: "load stop" if view.loading else load_line(view),
        help=f"load: begin one of {LOAD_S} s, or end it; :load 200/s for 10s zipf says more",
    ),
    Action(
        key="colon", shown_key=":", name="command", label="line", typed=":",
        help="type a line, such as: put cart:7 tea; :help and :help lab list them",
    ),
    Action(
        key="ctrl+s", shown_key="^s", name="save", label="save", typed="save FILE", why_not=_nothing_done,
        in_footer=False, help="save what was done as a scenario, which kvlab run accepts",
    ),
    Action(
        key="space", name="pause_view", label="hold", label_now=_held_label,
        help="hold time, or go on; processes go on: PAUSED +49 is 49 events since",
    ),
    Action(
        key="n", name="step", label="step", why_not=_no_step,
        help="a step on, or back: in the simulator one message or timer, else one event",
    ),
    Action(
        key="b", name="step_back", label="back", why_not=_not_ready,
        help="a step on, or back: in the simulator one message or timer, else one event",
    ),
    Action(
        key="less_than_sign", shown_key="<", name="previous", label="previous", why_not=_not_ready,
        in_footer=False,
        help="back, or on, to what somebody would tell of; the simulator runs there",
    ),
    Action(
        key="greater_than_sign", shown_key=">", name="following", label="next", why_not=_no_later,
        in_footer=False,
        help="back, or on, to what somebody would tell of; the simulator runs there",
    ),
    Action(
        key="home", shown_key="Home", name="start", label="start", why_not=_not_ready, in_footer=False,
        help="to the start of the log: as far back as one can look",
    ),
    Action(
        key="end", shown_key="End", name="end", label="end", label_now=_end_label,
        why_not=_present, in_footer=False,
        help="to the end of the log: the present, if this is no recording",
    ),
    Action(
        key="slash", shown_key="/", name="go_to", label="go to", typed="goto WHERE", why_not=_not_ready,
        in_footer=False, help="go to 12.4s, to +2s, to step 41, or to a line or event: kill n3",
    ),
    Action(
        key="minus", shown_key="-", name="slower", label="slower", why_not=_no_speed, in_footer=False,
        help="half, or twice, the speed of the simulator or the recording",
    ),
    Action(
        key="plus", shown_key="+", name="faster", label="faster", why_not=_no_speed, in_footer=False,
        help="half, or twice, the speed of the simulator or the recording",
    ),
    Action(
        key="left_square_bracket", shown_key="[", name="earlier", label="earlier", why_not=_one_operation,
        in_footer=False, help="show the operation before, or after, this one",
    ),
    Action(
        key="right_square_bracket", shown_key="]", name="later", label="later", why_not=_one_operation,
        in_footer=False, help="show the operation before, or after, this one",
    ),
    Action(
        key="comma", shown_key=",", name="event_before", label="before", why_not=_no_events, in_footer=False,
        help="choose the event before, or after, this one, in tabs 2 and 6",
    ),
    Action(
        key="full_stop", shown_key=".", name="event_after", label="after", why_not=_no_events,
        in_footer=False, help="choose the event before, or after, this one, in tabs 2 and 6",
    ),
    Action(
        key="m", name="maximise", label="larger", in_footer=False,
        help="the operation in the whole window, and back",
    ),
    Action(
        key="v", name="messages", label="more", in_footer=False,
        help="read in full what was said, and what came of the operation",
    ),
    Action(
        key="question_mark", shown_key="?", name="help", label="help", typed="keys",
        help="show or hide this page",
    ),
    Action(key="q", name="quit", label="quit", help="end every node and leave (as does Ctrl-C)"),
)  # fmt: skip


# -- in a demo -----------------------------------------------------------------------------------


def _no_next(view: View) -> str:
    return view.narration.why_not_next if view.narration is not None else ""


def _no_slow_motion(view: View) -> str:
    return "" if view.simulated else _alone(view)


def _steps(view: View) -> list[NodeId]:
    steps = view.narration.of if view.narration is not None else 0
    return [NodeId(str(number)) for number in range(1, steps + 1)]


def _nothing_failed(view: View) -> str:
    return "" if view.narration is not None and view.narration.failed else "nothing has fallen short"


PRESENTING = (
    Action(
        key="right,space,pagedown", shown_key="→", name="next", label="next", why_not=_no_next,
        help="the next step, or what comes of it; at work: no pauses (also space, Page Down)",
    ),
    Action(
        key="left,pageup", shown_key="←", name="back", label="back",
        help="back to the step before, on a new cluster brought there anew (also Page Up; again: further)",
    ),
    Action(
        key="j", name="jump", label="jump", needs_node=True, asks="to which step", nodes=_steps,
        help="j and a step's number: there at once; back is on a new cluster, as the left arrow",
    ),
    Action(
        key="r", name="retry", label="retry", why_not=_nothing_failed,
        help="where a step fell short, do it again; else, r and a number restart a node",
    ),
    Action(
        key="c", name="go_on", label="skip", why_not=_nothing_failed,
        help="where a step fell short, leave that line out and go on",
    ),
    Action(
        key="minus", shown_key="-", name="slow_motion", label="slow", why_not=_no_slow_motion,
        help="slow motion: the simulator's time, or every message of the processes; + ends it",
    ),
    Action(
        key="plus", shown_key="+", name="full_speed", label="fast", why_not=_no_slow_motion,
        help="slow motion: the simulator's time, or every message of the processes; + ends it",
    ),
)  # fmt: skip
"""What a key does in a demo, where that is not what it does in the lab."""

ALSO_PRESENTING = ("command", "help", "quit")
"""What else the footer of a demo shows; everything else of the lab can be done as well."""


def of(view: View) -> tuple[Action, ...]:
    """All that can be done with keys, in the order in which the help tells it."""
    if view.narration is None:
        return ACTIONS
    taken = {key for action in PRESENTING for key in action.key.split(",")}
    return (*PRESENTING, *(action for action in ACTIONS if action.key not in taken))


def find(name: str) -> Action:
    return next(action for action in (*ACTIONS, *PRESENTING) if action.name == name)


def typed(text: str) -> Action | None:
    """The action that is meant by this, typed at the command line; None if it is a line for the cluster."""
    return next((action for action in ACTIONS if action.word and action.word == text), None)


def lab_page() -> Page:
    """What `:help lab` says: what can be typed that concerns the lab alone."""
    words = [
        f"{action.word}: {action.help}"
        for action in ACTIONS
        if action.word not in ("", ":") and not action.tab
    ]
    tabs = " | ".join(action.label for action in TAB_ACTIONS)
    words.append(f"show {tabs}: open that tab")
    words.append("save! FILE: the same, over a file that is there already")
    return Page("IN THE LAB YOU CAN ALSO TYPE", tuple(words), short=True)


TIME = ("pause_view", "step_back", "step", "previous", "following", "start", "end", "go_to")
"""What the footer shows first, where one looks back."""


def hints(view: View) -> tuple[Hint, ...]:
    """The footer: what each key does, and which cannot be used now."""
    if view.narration is not None:
        shown: list[Action] = [*PRESENTING, *map(find, ALSO_PRESENTING)]
        if view.moment.behind:  # there space is the next step
            shown[3:-3] = map(find, TIME[1:])
        return tuple(action.hint(view) for action in shown)
    own = [action for action in ACTIONS if action.in_footer and view.tab in action.tabs]
    spared = {"freeze", "slow", "add", "remove"} if own else set()  # or two rows would not hold them
    others = [action for action in ACTIONS if action.in_footer and not action.tabs]
    if view.moment.kind == "replay":
        own = [action for action in own if action.line is None]
        others = [find("slower"), find("faster"), *(action for action in others if action.line is None)]
        spared.add("command")
    elif view.moment.behind:
        spared |= {"freeze", "slow", "add", "remove"}
    elif view.moment.kind == "live":  # n can never be used there, and space leads to b
        spared |= {"step", "step_back"}
    time_keys = [find(name) for name in TIME] if view.moment.behind else []
    rest = [action for action in others if action not in time_keys and action.name not in spared]
    return tuple(action.hint(view) for action in (*time_keys, *own, *rest))
