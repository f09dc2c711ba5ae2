"""Several runs in one process that take turns, and meet before each epoch to train it together."""

import logging
import random
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning import Callback, Trainer
from torch import Tensor

from textpool.classifier import TextClassifier
from textpool.data import SentenceData
from textpool.run.training import FIT, fit
from textpool.together.epoch import Member, train_epoch, why_alone

log = logging.getLogger(__name__)

HOOKS_OF_A_BATCH = (  # they would be called once an epoch
    "on_train_batch_start",
    "on_train_batch_end",
    "on_before_zero_grad",
    "on_before_backward",
    "on_after_backward",
    "on_before_optimizer_step",
)


def run_together(jobs: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run jobs in turns, and the training of their models at once.

    Args:
        jobs: functions that call `textpool.run.training.train`, which trains with the function in `FIT`.

    Returns:
        What each of them returned.
    """
    turns = [Turn(job) for job in jobs]
    for turn in turns:
        turn.go_on()  # until its model is built, if there is something to train
    found = [turn.member for turn in turns if turn.member is not None]
    if len(found) == 1:
        found[0].obstacle = None
    elif found:
        reason = next((member.obstacle for member in found if member.obstacle), None) or why_alone(found)
        found[0].obstacle = reason and f"{len(found)} runs are trained one after the other: {reason}"
        for member in found:
            member.company = len(found) if reason is None else 1
    while waiting := [turn for turn in turns if turn.member is not None]:
        for turn in waiting:
            turn.go_on()  # until it stands before an epoch, or to its end
        members = [turn.member for turn in turns if turn.member is not None]
        try:
            if members:
                train_epoch(members)
        except Exception as error:  # each of them raises it, and records its failure
            for member in members:
                member.error = error
    return [turn.result() for turn in turns]


class Turn:
    """A job in a thread of its own, of which only one runs at a time.

    What a job sets in the process and relies on later is kept for it: random generators, and the handlers of its log.
    """

    def __init__(self, job: Callable[[], Any]) -> None:
        self.member: Member | None = None  # what waits; None: the job has ended
        self._state = process_state()
        self._mine, self._others = threading.Semaphore(0), threading.Semaphore(0)
        self._outcome: Any = None
        self._error: BaseException | None = None
        threading.Thread(target=self._run, args=(job,), daemon=True).start()

    def go_on(self) -> None:
        """Let the job run until it waits, or ends."""
        self.member = None
        restore(self._state)
        self._mine.release()
        self._others.acquire()
        self._state = process_state()

    def result(self) -> Any:
        """What the job returned; an exception that it raised is raised here."""
        if self._error is not None:
            raise self._error
        return self._outcome

    def _run(self, job: Callable[[], Any]) -> None:
        self._mine.acquire()
        FIT.set(self._fit)  # in the context of this thread
        try:
            self._outcome = job()
        except BaseException as error:
            self._error = error
        self._others.release()

    def _wait(self, member: Member) -> None:
        """Let the others run until it is this job's turn again."""
        self.member = member
        self._others.release()
        self._mine.acquire()

    def _fit(self, trainer: Trainer, classifier: TextClassifier, data: SentenceData, start: Path | None) -> int:
        """Train as `textpool.run.training.fit` does, but each epoch together with those of the other jobs.

        Lightning sees epochs of one step, in which all batches of the epoch are trained.
        """
        member = Member(trainer, classifier, data, obstacle(trainer, classifier))
        self._wait(member)
        if member.company == 1:
            if member.obstacle:
                log.info(member.obstacle)
            return fit(trainer, classifier, data, start)

        def train_with_others(batch: Any, batch_idx: int) -> Tensor:
            member.threads = torch.get_num_threads()
            member.generator = torch.Generator(classifier.device).manual_seed(torch.initial_seed())
            self._wait(member)
            if member.error is not None:
                raise member.error
            if classifier.device.type == "cpu":
                torch.set_rng_state(member.generator.get_state())
            count_steps(trainer, member.steps - 1)
            return torch.zeros(())

        step: Any = {
            "training_step": train_with_others,
            "backward": lambda loss: None,
            "optimizer_step": lambda epoch, batch_idx, optimizer, closure: closure(),
        }
        vars(classifier).update(step)
        trainer.limit_train_batches = 1
        try:
            fit(trainer, classifier, data, start)
        finally:
            for name in step:
                del vars(classifier)[name]
        return member.company


def obstacle(trainer: Trainer, classifier: TextClassifier) -> str | None:
    """The setting of a run with which its steps cannot be taken together with those of others; None: there is none."""
    fits = {
        "trainer.accumulate_grad_batches": trainer.accumulate_grad_batches == 1,
        "trainer.gradient_clip_val": not trainer.gradient_clip_val,
        "trainer.limit_train_batches": trainer.limit_train_batches == 1.0,
        "trainer.overfit_batches": not getattr(trainer, "overfit_batches", 0),
        "trainer.max_steps": trainer.max_steps == -1,
        "trainer.val_check_interval": trainer.val_check_interval == 1.0,
        "trainer.devices": trainer.world_size == 1,
        "trainer.precision": trainer.precision in ("32-true", "bf16-mixed"),
        "compile": all(module._compiled_call_impl is None for module in classifier.model.modules()),
    }
    callbacks: list[Callback] = getattr(trainer, "callbacks")  # noqa: B009 (Lightning does not declare it)
    for kind in map(type, callbacks):
        of_a_batch = any(getattr(kind, hook) is not getattr(Callback, hook) for hook in HOOKS_OF_A_BATCH)
        fits[f"callbacks ({kind.__name__})"] = not of_a_batch or kind.__module__.startswith("textpool.run.")
    found = next((name for name, fine in fits.items() if not fine), None)
    return found and f"{found} needs every step of a run by itself"


def count_steps(trainer: Trainer, more: int) -> None:
    """Add steps to those that Lightning has counted, so that a checkpoint is that of a run alone."""
    loop = trainer.fit_loop.epoch_loop
    optimizer = loop.automatic_optimization.optim_progress.optimizer
    for progress in (loop.batch_progress, optimizer.step, optimizer.zero_grad):
        progress.total.increment_by(more)
        progress.current.increment_by(more)
    loop._batches_that_stepped += more


def process_state() -> Any:
    """What a job sets in the process and relies on later."""
    return torch.get_rng_state(), random.getstate(), np.random.get_state(), logging.root.handlers[:]


def restore(state: Any) -> None:
    """Set a state from `process_state`."""
    torch_state, python_state, numpy_state, handlers = state
    torch.set_rng_state(torch_state)
    random.setstate(python_state)
    np.random.set_state(numpy_state)
    logging.root.handlers[:] = handlers
