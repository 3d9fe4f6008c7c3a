# SPDX-License-Identifier: LGPL-2.1-or-later
"""Many runs of the helper, shared among some workers, each with hosts of its own: most of the time
of a run the kernel is waited for.

A worker has prepare(), run(*job), close(), and ends: a set of how its runs ended.  One whose run
went wrong is replaced, for its hosts are no longer as they were.
"""
import concurrent.futures
import threading

WORKERS = 3
WRONG_MAX = 20


class Share:
    def __init__(self, make, wrong, lock):
        self.make, self.wrong, self.lock = make, wrong, lock
        self.worker = make()
        self.prepared = self.worker.prepare()
        self.ends = set()

    def work(self, jobs):
        for job in jobs:
            if len(self.wrong) >= WRONG_MAX:
                break
            try:
                self.worker.run(*job)
            except Exception as error:
                self.wrong.append(str(error))
                self.replace()
        self.finish()

    def replace(self):
        self.finish()
        with self.lock:  # worlds are made by one at a time
            self.worker = self.make()
        self.worker.prepare()

    def finish(self):
        self.ends |= self.worker.ends
        self.worker.close()


def share_out(make, jobs_of):
    """Does the jobs_of(what prepare() gave), and returns how they ended; what went wrong is
    collected, and told in the end."""
    wrong, lock = [], threading.Lock()
    shares = [Share(make, wrong, lock) for _ in range(WORKERS)]
    jobs = list(jobs_of(*(share.prepared for share in shares)))
    try:
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            parts = [pool.submit(share.work, jobs[i::WORKERS]) for i, share in enumerate(shares)]
            for part in parts:
                part.result()
    except BaseException:
        wrong += ["given up"] * WRONG_MAX  # so that the others end, too
        raise
    assert not wrong, "\n".join(wrong)
    return set().union(*(share.ends for share in shares))
