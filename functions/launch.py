"""How a runtime's program is started: its environment variables and its command line."""

import re

from fogbank.functions.interpreters import Interpreter
from fogbank.functions.ports import EnvironmentFailed, EnvSpec

PYTHON = re.compile(r"python3\.\d+")
SEARCH_PATH = "/var/lang/bin:/usr/local/bin:/usr/bin:/bin:/opt/bin"
WRAPPER = "AWS_LAMBDA_EXEC_WRAPPER"


def environment_of(spec: EnvSpec, task: str, runtime: str, address: str) -> dict[str, str]:
    """What the process sees: the function's variables, below those that the runtime owns."""
    return {
        "PATH": SEARCH_PATH,
        "LD_LIBRARY_PATH": f"/lib64:/usr/lib64:{runtime}:{task}:{task}/lib:/opt/lib",
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        **spec.environment,
        "_HANDLER": spec.handler,
        "LAMBDA_TASK_ROOT": task,
        "LAMBDA_RUNTIME_DIR": runtime,
        "AWS_LAMBDA_RUNTIME_API": address,
    }


def arguments_of(
    spec: EnvSpec, interpreter: Interpreter, task: str, runtime: str, zygote: bool
) -> list[str]:
    """The command line; empty where the warm interpreter itself becomes the runtime."""
    wrapper = spec.environment.get(WRAPPER)
    if spec.runtime.startswith("provided"):
        arguments = _custom(spec, task)
    elif not PYTHON.fullmatch(spec.runtime):
        raise EnvironmentFailed(
            f"Runtime {spec.runtime} cannot run here: only python3.* and provided.* can. "
            "A program with its own bootstrap runs as provided.al2023."
        )
    elif spec.package.has_runtime_client:
        site = ["-c", _client_program(interpreter)]
        arguments = [interpreter.path, "-s", "-S", *site, spec.handler]
    elif zygote and not wrapper:
        return []
    else:
        arguments = [interpreter.path, "-s", "-S", f"{runtime}/bootstrap.py", *interpreter.site]
    return [wrapper, *arguments] if wrapper else arguments


def _custom(spec: EnvSpec, task: str) -> list[str]:
    if spec.package.has_bootstrap:
        return [f"{task}/bootstrap"]
    raise EnvironmentFailed(f"Couldn't find valid bootstrap(s): [{task}/bootstrap /opt/bootstrap]")


def _client_program(interpreter: Interpreter) -> str:
    """Starts the package's own awslambdaric as `python -m awslambdaric` would."""
    return (
        "import os, runpy, sys; "
        "sys.path.insert(0, os.environ['LAMBDA_TASK_ROOT']); "
        f"sys.path.extend({list(interpreter.site)!r}); "
        "sys.argv[0] = 'awslambdaric'; "
        "runpy.run_module('awslambdaric', run_name='__main__', alter_sys=True)"
    )
