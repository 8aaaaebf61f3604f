"""Every mutant, and every test that may notice one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.mutants import (
    of_archives,
    of_bridge,
    of_disks,
    of_exports,
    of_kernel,
    of_operations,
    of_sealing,
    of_secrets,
    of_watching,
)

if TYPE_CHECKING:
    from tests.mutants.mutant import Mutant

CATALOGUE: tuple[Mutant, ...] = (
    *of_kernel.GATE_1,
    *of_kernel.OPENAT2,
    *of_kernel.WALK,
    *of_operations.NAMES,
    *of_operations.TREES,
    *of_operations.FILES,
    *of_operations.COPIES,
    *of_disks.POLICY,
    *of_disks.DISKS,
    *of_disks.FSSPEC,
    *of_archives.ARCHIVES,
    *of_bridge.BRIDGE,
    *of_sealing.AGE,
    *of_sealing.KEYS,
    *of_exports.EXPORTS,
    *of_secrets.SECRETS,
    *of_secrets.TOKENS,
    *of_watching.WATCHING,
)

# What a mutant has survived that survived. Not the races, which are won now and then, nor what is
# of no use in the jail.
EVERYTHING = (
    "tests/test_rules.py",
    "tests/test_traps.py",
    "tests/test_attacks.py",
    "tests/test_paths.py",
    "tests/test_policy.py",
    "tests/test_root.py",
    "tests/test_table.py",
    "tests/test_exhaustion.py",
    "tests/test_interleaving.py",
    "tests/test_machine.py",
    "tests/test_replays.py",
    "tests/test_audit.py",
    "tests/test_errors.py",
    "tests/test_strace.py",
    "tests/test_disk.py",
    "tests/test_disk_conformance.py",
    "tests/test_diskpath.py",
    "tests/test_memory_driver.py",
    "tests/test_fsspec.py",
    "tests/test_storage.py",
    "tests/test_archives.py",
    "tests/test_archives_hostile.py",
    "tests/test_age.py",
    "tests/test_age_streams.py",
    "tests/test_age_keys.py",
    "tests/test_age_vectors.py",
    "tests/test_age_tampering.py",
    "tests/test_redaction.py",
    "tests/test_redaction_corpus.py",
    "tests/test_export.py",
)

# Tests that ask for what the jail has taken away, and why. Those that need mounts, or devices, skip
# there by themselves.
LEFT_OUT: dict[str, str] = {}
