"""The command line: `python -m nn --help`."""

import argparse
import difflib
import inspect
import sys
from pathlib import Path

EXAMPLES = """examples:
  python -m nn list                          what there is
  python -m nn train lenet                   train it on real digits, into out/lenet/
  python -m nn train lenet --resume          go on with a run that was stopped or killed
  python -m nn predict lenet picture.png     ask it about a picture of your own
  python -m nn eval lenet                    judge it on what was held out of training
  python -m nn summary lenet                 its layers, parameters and multiply-adds
  python -m nn draw lenet                    its computation graph, into out/lenet/forward.svg
  python -m nn draw resnet50 --level block -o graph.html    its blocks, as a page to look around in
"""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message):
        self.exit(2, f"{self.prog}: {message} ({self.prog} --help tells more)\n")


def _natural(text):
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"needs a whole number >= 0, got {text!r}")
    return int(text)


def _count(text):
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"needs a whole number >= 1, got {text!r}")
    return int(text)


def _rate(text):
    try:
        rate = float(text)
    except ValueError:
        rate = -1.0
    if not 0 < rate < float("inf"):
        raise argparse.ArgumentTypeError(f"needs a number > 0, got {text!r}")
    return rate


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m nn",
        description="Train, ask and look into the networks of the course.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--traceback", action="store_true", help="show where in the code an error comes from")
    commands = parser.add_subparsers(title="commands", dest="command", required=True, metavar="COMMAND")

    def command(name, run, help, description=None):
        sub = commands.add_parser(name, help=help, description=description or f"{help[0].upper()}{help[1:]}.")
        sub.set_defaults(run=run)
        return sub

    command("list", _list, "show the names there are")

    train = command(
        "train",
        _train,
        "train a network on real data",
        "Train a network on real data. What an option's default is, the recipe decides (nn/recipes/NAME.py). "
        "Ctrl-C saves what was reached and ends; --resume goes on from there.",
    )
    train.add_argument("name", metavar="NAME", help="which one, for example lenet")
    train.add_argument("--seed", type=_natural, metavar="N", help="start of the random numbers (default: 0)")
    train.add_argument("--epochs", type=_count, metavar="N", help="passes over the training data")
    train.add_argument("--batch-size", type=_count, metavar="N", help="examples in a step")
    train.add_argument("--learning-rate", "--lr", type=_rate, metavar="X", help="size of the steps")
    train.add_argument(
        "--resume",
        action="store_true",
        help="go on from the last checkpoint, with the options of that run, as if it had never stopped",
    )
    train.add_argument(
        "--checkpoint-every",
        type=_count,
        metavar="N",
        help="save after every N steps too, not only after an epoch",
    )
    train.add_argument("--quiet", action="store_true", default=None, help="print nothing but errors")
    _out(train, "where to write")

    predict = command("predict", _predict, "ask a trained network about a file of your own")
    predict.add_argument("name", metavar="NAME", help="which one, for example lenet")
    predict.add_argument(
        "file",
        metavar="FILE",
        type=Path,
        help="what that system was trained on, such as a picture (png, jpeg, ...) of one digit for lenet",
    )
    _out(predict, "where train wrote")

    evaluate = command("eval", _evaluate, "judge a trained network on what was held out of training")
    evaluate.add_argument("name", metavar="NAME", help="which one, for example lenet")
    _out(evaluate, "where train wrote")

    draw = command(
        "draw",
        _draw,
        "draw the graph of a network's forward pass",
        "Draw the graph of a network's forward pass, as at test time. A page (.html) opens and closes "
        "modules, and tells about each box; large networks are readable from --level block up.",
    )
    draw.add_argument("name", metavar="NAME", help="which one, for example lenet")
    draw.add_argument(
        "file",
        metavar="FILE",
        nargs="?",
        type=Path,
        help="svg, png, pdf, dot, mmd or html by its ending (default: out/NAME/forward.svg)",
    )
    draw.add_argument("-o", "--out", metavar="FILE", type=Path, dest="also", help="the same as FILE")
    draw.add_argument(
        "--level",
        choices=("scalar", "op", "layer", "block", "architecture"),
        default="op",
        help="how much is one box: a value or an op, every op, or ever larger parts (default: op)",
    )
    draw.add_argument(
        "--show",
        metavar="WHAT",
        default="",
        help="what else is told, as in 'memory order': values, heat, gradients, norms, memory, order, rules, "
        "histograms (in a page always)",
    )

    summary = command("summary", _summary, "show a network's layers, parameters and multiply-adds")
    summary.add_argument("name", metavar="NAME", help="which one, for example lenet")
    return parser


def _out(parser, what):
    parser.add_argument("--out", type=Path, metavar="FOLDER", help=f"{what} (default: out/NAME)")


def _recipe(name):
    from nn import recipes

    known = recipes.names()
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known)}"
        raise ValueError(f"nothing to train is called {name!r}: {hint} (`python -m nn list` shows all)")
    return recipes.load(name)


def _architecture(name):
    from nn import models, recipes

    return models.find(recipes.load(name).MODEL if name in recipes.names() else name)


def _folder(args):
    return args.out or Path("out") / args.name


def _list(args):
    from nn import models, recipes

    rows = [("name", "file", "parameters", "multiply-adds", "input", "course", "paper")]
    for entry in models.entries().values():
        shape = "x".join(map(str, entry.input_shape)) or "1"
        rows.append(
            (
                entry.name,
                entry.file,
                f"{entry.parameters:,}",
                f"{entry.multiply_adds:,}",
                shape,
                entry.course,
                entry.paper,
            )
        )
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    print("networks (summary, draw), each in its file of nn/models:")
    for row in rows:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    print("\nsystems on real data (train, eval, predict):")
    for name in recipes.names():
        title = (inspect.getdoc(recipes.load(name)) or "").partition("\n")[0]
        print(f"  {name}  {title}")


def _train(args):
    recipe = _recipe(args.name)
    options = ("seed", "epochs", "batch_size", "learning_rate", "checkpoint_every", "quiet")
    given = {name: value for name in options if (value := getattr(args, name)) is not None}
    if args.resume:
        given = {**_resumed(args, given), **given, "resume": True}
    history, _ = recipe.train(_folder(args), **given)
    if history.interrupted:
        more = " ".join(["python -m nn train", args.name, *(["--out", str(args.out)] if args.out else [])])
        print(f"stopped by Ctrl-C; what was reached is saved: {more} --resume", file=sys.stderr)
        return 130
    return 0


def _resumed(args, given):
    """The options of the run that is resumed. More epochs than it had are fine, and so are other times to
    save; anything else would make it another run."""
    from nn.train import settings_of

    settings = settings_of(_folder(args))
    name = settings.pop("recipe", None)
    if name != args.name:
        whose = f"a run of {name}" if name else "not a run of this command"
        raise ValueError(f"the checkpoint in {_folder(args)} is of {whose}: --out names another folder")
    for option, value in settings.items():
        if option not in ("epochs", "checkpoint_every") and given.get(option, value) != value:
            flag = option.replace("_", "-")
            raise ValueError(
                f"the run in {_folder(args)} has --{flag} {value}, not {given[option]}: "
                f"leave --{flag} out to resume it, or leave --resume out to start again"
            )
    return settings


def _predict(args):
    _recipe(args.name).predict(_folder(args), args.file)


def _evaluate(args):
    _recipe(args.name).evaluate(_folder(args))


def _draw(args):
    from autograd.pictures import draw

    entry = _architecture(args.name)
    file = args.also or args.file or Path("out") / args.name / "forward.svg"
    show = f"{args.show} histograms" if file.suffix.lower() == ".html" else args.show
    picture = draw(entry.build().eval(), *entry.inputs(), level=args.level, show=show)
    file.parent.mkdir(parents=True, exist_ok=True)
    picture.save(file)
    print(f"drawn: {file}")


def _summary(args):
    from nn.summary import summary

    entry = _architecture(args.name)
    inputs = entry.inputs()
    shapes = " and ".join(" x ".join(map(str, x.shape[1:])) or "1" for x in inputs)
    print(f"{entry.name}: {entry.paper}; {entry.course}; one example of {shapes}\n")
    print(summary(entry.build(), *inputs))


def main(arguments: list[str] | None = None) -> int:
    """Runs one command and returns its exit status: 0, 2 with one line on stderr for what the user can put
    right, 130 after Ctrl-C."""
    args = _parser().parse_args(arguments)
    try:
        return args.run(args) or 0
    except (ValueError, OSError, ImportError, FloatingPointError) as error:
        missing_extra = "pip install" in str(error)
        if args.traceback or (isinstance(error, ImportError) and not missing_extra):
            raise
        print(f"python -m nn {args.command}: {_one_line(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"python -m nn {args.command}: stopped by Ctrl-C", file=sys.stderr)
        return 130


def _one_line(error) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__


if __name__ == "__main__":
    sys.exit(main())
