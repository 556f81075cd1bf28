"""
Breaks the code on purpose and sees whether the tests notice.

`python tests/mutants.py [WORD…]` plants each deliberate bug (whose sentence holds a WORD) into a
copy of the package, runs the tests that ought to fail, and prints who survived. Exit code 1 when
one did: then a row is missing in a table.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
AT_ONCE = 2
PATIENCE = 100.0
ANYTHING_GOES = ("property/test_anything_goes.py",)
MEMORY_CONTRACT = ("contract/test_driver_contract.py", "-k", "memory")


@dataclass(frozen=True)
class Mutant:
    """In `file`, `old` (there exactly once) becomes `new`; `tests` must fail then."""

    why: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


STORIES = ("unit/test_rollback_stories.py",)

MUTANTS = (
    Mutant(
        "the way out is opened without a word",
        "core/admission.py",
        "return (had or Egress.INTERNET) if asked else spec.egress",
        "return spec.egress",
        ("unit/test_admission.py",),
    ),
    Mutant(
        "a new rule of the digest makes everything anew",
        "core/lineage.py",
        "if Made(spec.app, spec.name, before) in made:",
        "if False:",
        ("unit/test_lineage.py",),
    ),
    Mutant(
        "what was made anew hides behind the digest of an earlier rule",
        "core/lineage.py",
        "version = versions.pop() if len(versions) == 1 else lineage.present",
        "version = min(versions)",
        ("unit/test_lineage.py",),
    ),
    Mutant(
        "what could not be read once is never read again",
        "sources/directory.py",
        "if file.unread:",
        "if False:",
        ("unit/test_directory.py",),
    ),
    # What was adopted
    Mutant(
        "what differs is adopted",
        "core/adoption.py",
        "standing = Standing.DIFFERS if told else Standing.SAME",
        "standing = Standing.SAME",
        ("unit/test_adoption.py",),
    ),
    Mutant(
        "a container with somebody's label is adopted",
        "core/adoption.py",
        "if facts.instance:",
        "if False:",
        ("unit/test_adoption.py",),
    ),
    Mutant(
        "what was not approved is adopted",
        "core/adoption.py",
        "if spec.denial is not None:",
        "if False:",
        ("unit/test_adoption.py",),
    ),
    Mutant(
        "a volume of another name is the same",
        "core/mounts.py",
        "elif (known.kind, known.source) != (mount.kind, mount.source):",
        "elif known.kind != mount.kind:",
        ("unit/test_likeness.py",),
    ),
    Mutant(
        "data in a volume without a name may go with its container",
        "core/mounts.py",
        "for target in facts.nameless:",
        "for target in ():",
        ("unit/test_likeness.py",),
    ),
    Mutant(
        "more capabilities than the manifest gives are the same",
        "core/likeness.py",
        'if more := ", ".join(sorted(has - asked)):',
        'if more := "":',
        ("unit/test_likeness.py",),
    ),
    Mutant(
        "the inventory speaks of what carries another's label",
        "drivers/memory/strangers.py",
        "if found is not None and not box.instance:",
        "if found is not None:",
        MEMORY_CONTRACT,
    ),
    Mutant(
        "an inventory that cannot be read is empty",
        "security/inventory.py",
        "            raise DriverRejected(",
        "            return Adoptions()\n            raise DriverRejected(",
        ("unit/test_inventory.py",),
    ),
    Mutant(
        "a double of what serves is kept as the way back",
        "core/revisions.py",
        "if c.container in here or not belongs(good, c)",
        "if not belongs(good, c)",
        ("unit/test_adoption_stories.py",),
    ),
    Mutant(
        "what was tried of another revision is known to who comes after a death",
        "core/backoff.py",
        "return {**attempts, **fresh}",
        "return dict(attempts)",
        ("unit/test_backoff.py",),
    ),
    # Which commit is in force
    Mutant(
        "a commit that is not signed is taken",
        "core/following.py",
        "if commit.unsigned:",
        "if False:",
        ("unit/test_following.py",),
    ),
    Mutant(
        "history may go back without a word",
        "core/following.py",
        "if applied is not None and not evidence.descends and evidence.allowed != head.id:",
        "if False:",
        ("unit/test_following.py",),
    ),
    Mutant(
        "a word on one commit lets every other one through",
        "core/following.py",
        "and evidence.allowed != head.id:",
        "and not evidence.allowed:",
        ("unit/test_following.py",),
    ),
    Mutant(
        "a key of another purpose signs commits",
        "sources/git_signatures.py",
        "if _run(command, signed).returncode == 0:",
        "if True:",
        ("unit/test_git_source.py",),
    ),
    Mutant(
        "gpgv is believed by how it ends",
        "sources/git_signatures.py",
        "if good and not _BAD & set(words):",
        "if valid:",
        ("unit/test_git_source.py",),
    ),
    Mutant(
        "a verb commits what else is staged",
        "sources/git_commit.py",
        'own = {"GIT_INDEX_FILE": str(Path(place, "index"))}',
        "own: dict[str, str] = {}",
        ("unit/test_committing.py",),
    ),
    Mutant(
        "hooks of a repository run",
        "sources/git_call.py",
        '"core.hooksPath": "/dev/null",',
        "",
        ("unit/test_committing.py",),
    ),
    Mutant(
        "changes of the operator are committed by a verb",
        "sources/tree_commit.py",
        "if not kept == staged == here:",
        "if False:",
        ("unit/test_committing.py",),
    ),
    Mutant(
        "root writes into the repository of another user",
        "sources/tree_commit.py",
        'return "" if user == os.geteuid() else pwd.getpwuid(user).pw_name',
        'return ""',
        ("unit/test_committing.py",),
    ),
    Mutant(
        "what a filter encrypts is committed as it is",
        "sources/git_commit.py",
        "if value not in _UNTOUCHED:",
        "if False:",
        ("unit/test_committing.py",),
    ),
    Mutant(
        "a push needs no lease",
        "sources/git.py",
        'lease = f"--force-with-lease={branch}:{base}"',
        'lease = "--force"',
        ("unit/test_committing.py",),
    ),
    Mutant(
        "a verb builds upon what would not be taken",
        "committing.py",
        "told = following(known).told",
        'told = ""',
        ("unit/test_committing.py",),
    ),
    Mutant(
        "what another changed meanwhile is written over",
        "committing.py",
        "other = proposal.elsewhere(newest, files)",
        'other = ""',
        ("unit/test_committing.py",),
    ),
    Mutant(
        "a cut-off history says who changed what",
        "sources/git_history.py",
        "{by for by in found.values() if by not in cut_off}",
        "{*found.values()}",
        ("unit/test_git_history.py",),
    ),
    Mutant(
        "words of a commit steer a terminal",
        "sources/git_history.py",
        'c if c.isprintable() else "\\N{REPLACEMENT CHARACTER}" for c in shown',
        "c for c in shown",
        ("unit/test_git_history.py",),
    ),
    Mutant(
        "an app has the oldest of its commits",
        "core/last_commits.py",
        "_order(known) < _order(commit)",
        "_order(known) > _order(commit)",
        ("unit/test_git_history.py",),
    ),
    Mutant(
        "what no loop would take is pushed",
        "committing.py",
        "self._check_signature(commit)",
        "pass",
        ("unit/test_committing.py",),
    ),
    Mutant(
        "links of a repository are written",
        "sources/git_checkout.py",
        "if blob.mode in _KINDS:",
        "if False:",
        ("unit/test_git_source.py",),
    ),
    Mutant(
        "a webhook needs no signature",
        "webhook.py",
        "if not self._is_signed(body):",
        "if False:",
        ("unit/test_webhook.py",),
    ),
    # What is on record
    Mutant(
        "what an app may do is not on record",
        "core/planner.py",
        "change = replace(change, basis=basis(comparison.spec, situation))",
        "pass",
        ("unit/test_basis.py",),
    ),
    Mutant(
        "what cannot be put on record is done all the same",
        "apply.py",
        "            return Outcome(change, Result.UNAVAILABLE, str(error), ",
        "            _ = (change, Result.UNAVAILABLE, str(error), ",
        ("unit/test_apply.py",),
    ),
    Mutant(
        "on a full disk the plan goes on",
        "core/gates.py",
        "if not evidence.unrecorded or not change.acts:",
        "if True:",
        ("unit/test_planner.py",),
    ),
    Mutant(
        "an entry need not follow the one before it",
        "report/audit/verify.py",
        'elif told["prev"] != head.last:',
        "elif False:",
        ("unit/test_audit.py",),
    ),
    Mutant(
        "a log that was written anew is sound",
        "report/audit/verify.py",
        "if head.tree.root() != checkpoint.root:",
        "if False:",
        ("unit/test_audit.py",),
    ),
    Mutant(
        "a log may end before what was signed",
        "report/audit/verify.py",
        "if head.tree.size < checkpoint.size:",
        "if False:",
        ("unit/test_audit.py",),
    ),
    Mutant(
        "a checkpoint is believed whoever signed it",
        "report/audit/note.py",
        "if ours and check(verifier.key, told[_ID:], body):",
        "if ours:",
        ("unit/test_audit.py",),
    ),
    # What is not as on an ordinary day
    Mutant(
        "a container that nobody made is no news",
        "core/anomalies.py",
        'if f"container {name}" not in record.made:',
        "if False:",
        ("unit/test_anomalies.py",),
    ),
    Mutant(
        "another container of a known name is no news",
        "core/anomalies.py",
        "if record.is_another(name, container.ref):",
        "if False:",
        ("unit/test_anomalies.py",),
    ),
    Mutant(
        "all is odd while the log is being read",
        "core/anomalies.py",
        "if record.known:",
        "if True:",
        ("unit/test_anomalies.py",),
    ),
    Mutant(
        "permissions that the operator approved are odd",
        "core/anomalies.py",
        "more = sorted(stated.unapproved - stated.before)",
        "more = sorted(stated.values - stated.before)",
        ("unit/test_anomalies.py",),
    ),
    Mutant(
        "a start of what never served counts",
        "core/recurrence.py",
        "if loops or not run.served or run.began is None:",
        "if loops or run.began is None:",
        ("unit/test_anomalies.py",),
    ),
    Mutant(
        "a crash loop is told twice",
        "core/recurrence.py",
        "return (run.ended or situation.now) - run.began >= situation.window",
        "return True",
        ("unit/test_anomalies.py",),
    ),
    Mutant(
        "what was hit before the first look is news",
        "core/recurrence.py",
        "hits = NONE if before.begun else container.hits or NONE",
        "hits = NONE",
        ("unit/test_anomalies.py",),
    ),
    Mutant(
        "the id of before stands while another one is made",
        "report/audit/record.py",
        'self._ids.pop(thing.removeprefix("container "), None)',
        "pass",
        ("unit/test_audit_record.py",),
    ),
    Mutant(
        "a command of our own is somebody else's when its event is late",
        "drivers/podman/foreign_execs.py",
        "return own.ended is None or at <= own.ended + SLACK_SECONDS",
        "return own.ended is None",
        ("unit/test_foreign_execs.py",),
    ),
    Mutant(
        "one check of ours hides every command",
        "drivers/podman/foreign_execs.py",
        "self._own[ref] = deque(own[1:], MOST)",
        "self._own[ref] = deque(own, MOST)",
        ("unit/test_foreign_execs.py",),
    ),
    Mutant(
        "half a line stays in the log",
        "report/audit/log.py",
        "stream.truncate(len(text) - half)",
        "stream.flush()",
        ("unit/test_audit.py",),
    ),
    Mutant(
        "what another process wrote is not read before going on",
        "report/audit/log.py",
        "if self._known is not None and self._known[0] == present is not None:",
        "if self._known is not None and present is not None:",
        ("unit/test_audit.py",),
    ),
    Mutant(
        "what waits for a full disk is forgotten",
        "report/audit/log.py",
        "every = [*self._first(), *self._waiting, *missed, *told]",
        "every = [*self._first(), *missed, *told]",
        ("unit/test_audit.py",),
    ),
    # Whose images may be run
    Mutant(
        "a bundle is signed by whoever wrote it",
        "security/signatures.py",
        "        if key.signed(content, told):",
        "        if True:",
        ("unit/test_signatures.py",),
    ),
    Mutant(
        "what nobody known has signed counts",
        "security/signatures.py",
        "            return key.id\n    raise _RefusedError(Denial.UNKNOWN_SIGNER)\n",
        "            return key.id\n    return keys[0].id\n",
        ("unit/test_signatures.py",),
    ),
    Mutant(
        "a classic payload may be of anything",
        "security/signatures.py",
        'if critical.get("type") != _SIMPLE:',
        "if False:",
        ("unit/test_signatures.py",),
    ),
    Mutant(
        "a classic signature is of any image",
        "security/signatures.py",
        'if _mapping(critical.get("image")).get("docker-manifest-digest") != subject.digest:',
        "if False:",
        ("unit/test_signatures.py",),
    ),
    Mutant(
        "an attestation is a signature",
        "security/signatures.py",
        ' or statement.get("predicateType") != SIGNED_TYPE:',
        ":",
        ("unit/test_signatures.py",),
    ),
    Mutant(
        "a statement may be of any kind",
        "security/signatures.py",
        'if statement.get("_type") not in _STATEMENTS or ',
        "if ",
        ("unit/test_signatures.py",),
    ),
    Mutant(
        "a bundle is of any image",
        "security/signatures.py",
        'get("digest")).get(algorithm) == digits for s in about):',
        'get("digest")).get(algorithm) == digits for s in about) and False:',
        ("unit/test_signatures.py",),
    ),
    Mutant(
        "a bundle may hold a payload of any type",
        "security/signatures.py",
        ' or envelope.get("payloadType") != _PAYLOAD:',
        ":",
        ("unit/test_signatures.py",),
    ),
    Mutant(
        "a bundle may be of any version",
        "security/signatures.py",
        'if bundle.get("mediaType") not in _BUNDLES or ',
        "if ",
        ("unit/test_signatures.py",),
    ),
    Mutant(
        "several signatures are as good as one",
        "security/signatures.py",
        "if len(signatures) != 1:",
        "if not signatures:",
        ("unit/test_signatures.py",),
    ),
    Mutant(
        "a name may be given twice",
        "security/signatures.py",
        "if len(found) != len(pairs):",
        "if False:",
        ("unit/test_signatures.py",),
    ),
    Mutant(
        "short keys of RSA count",
        "security/signing_keys.py",
        "case rsa.RSAPublicKey() if key.key_size >= SMALLEST_RSA:",
        "case rsa.RSAPublicKey():",
        ("unit/test_signatures.py",),
    ),
    Mutant(
        "signatures are believed without their hash",
        "registry/signatures.py",
        'if found is not None and digest != f"sha256:{hashlib.sha256(found).hexdigest()}":',
        "if False:",
        ("unit/test_signatures.py",),
    ),
    Mutant(
        "as many are read as there are",
        "registry/signatures.py",
        "if self.left <= 0 or not sound:",
        "if not sound:",
        ("unit/test_signatures.py",),
    ),
    Mutant(
        "a digest may be a path",
        "registry/signatures.py",
        "sound = _DIGEST.fullmatch(digest) and ",
        "sound = digest and ",
        ("unit/test_signatures.py",),
    ),
    Mutant(
        "what refers to another image is read",
        "registry/signatures.py",
        'if _mapping(manifest.get("subject")).get("digest") != place.subject.digest:',
        "if False:",
        ("unit/test_signatures.py",),
    ),
    Mutant(
        "the list is believed in what it calls things",
        "registry/signatures.py",
        'if BUNDLE not in {manifest.get("artifactType"), layer.get("mediaType")}:',
        'if descriptor.get("artifactType") != BUNDLE:',
        ("unit/test_signatures.py",),
    ),
    Mutant(
        "junk hides a bundle",
        "registry/signatures.py",
        "    return known.index(told) if told in known else len(known)",
        "    return len(known)",
        ("unit/test_signatures.py",),
    ),
    Mutant(
        "a body is waited for to its end",
        "registry/conversation.py",
        "        for way in (connection.sock, *opened):",
        "        for way in (connection.sock,):",
        ("unit/test_signatures.py",),
    ),
    Mutant(
        "one signature is all",
        "core/trusting.py",
        "enough = bool(by) and (not case.scope.all_of or set(by) == set(case.names))",
        "enough = bool(by)",
        ("unit/test_trusting.py",),
    ),
    Mutant(
        "any scope decides",
        "core/trusting.py",
        "return max(covering, key=lambda s: len(s.name), default=None)",
        "return covering[0] if covering else None",
        ("unit/test_trusting.py",),
    ),
    Mutant(
        "a scope covers whatever begins like it",
        "model/trust.py",
        'repository.startswith(f"{self.name}/")',
        "repository.startswith(self.name)",
        ("unit/test_trusting.py",),
    ),
    Mutant(
        "any key of the file counts",
        "core/signers.py",
        'return next((n for n in reversed(_named(self.trust, signature)) if n in self.names), "")',
        'return next(reversed(_named(self.trust, signature)), "")',
        ("unit/test_trusting.py",),
    ),
    Mutant(
        "a format that does not count does",
        "core/signers.py",
        "if not case.signer(signature) or signature.format not in case.scope.formats:",
        "if not case.signer(signature):",
        ("unit/test_trusting.py",),
    ),
    Mutant(
        "a signature is for any repository",
        "core/signers.py",
        "right = _repository_named(signature.identity) == _expected(case)",
        "right = True",
        ("unit/test_trusting.py",),
    ),
    Mutant(
        "a bundle is for any repository",
        "core/signers.py",
        "return case.scope.allow_unbound_identity or only",
        "return True",
        ("unit/test_trusting.py",),
    ),
    Mutant(
        "a key is another one by another name",
        "core/signers.py",
        "names = {*_named(case.trust, signature)}",
        "names = {case.signer(signature)}",
        ("unit/test_trusting.py",),
    ),
    Mutant(
        "a manifest brings its own key",
        "core/trusting.py",
        "    if name not in scope.keys:\n        return ()\n",
        "",
        ("unit/test_trusting.py",),
    ),
    Mutant(
        "what was not tried is denied",
        "core/trusting.py",
        "if not case.needed() <= found.tried:",
        "if False:",
        ("unit/test_trusting.py",),
    ),
    Mutant(
        "an unusable trust file trusts everybody",
        "core/trusting.py",
        "    if trust.problem:\n",
        "    if False:\n",
        ("unit/test_trusting.py",),
    ),
    Mutant(
        "a name is pinned before it is trusted",
        "core/trusting.py",
        "if verdict(container, evidence).permits:",
        "if True:",
        ("unit/test_trusting.py",),
    ),
    Mutant(
        "whoever has a certificate counts",
        "core/signers.py",
        "        return holder == identity.holder\n",
        "        return True\n",
        ("unit/test_keyless.py",),
    ),
    Mutant(
        "whoever says who somebody is counts",
        "core/signers.py",
        "if issuer != identity.issuer or len(holder) > LONGEST:",
        "if len(holder) > LONGEST:",
        ("unit/test_keyless.py",),
    ),
    Mutant(
        "a pattern is for the beginning alone",
        "core/signers.py",
        "return re.fullmatch(identity.holder, holder) is not None",
        "return re.match(identity.holder, holder) is not None",
        ("unit/test_keyless.py",),
    ),
    Mutant(
        "a root that was taken away goes on proving",
        "core/signers.py",
        "if trust.root is None or signature.key != trust.root.id:",
        "if trust.root is None:",
        ("unit/test_keyless.py",),
    ),
    Mutant(
        "a manifest asks for somebody in vain",
        "core/signers.py",
        "if self.asked is not None and signature.issuer and not _as_asked(self.asked, signature):",
        "if False:",
        ("unit/test_keyless.py",),
    ),
    Mutant(
        "a keyless bundle may be of any image",
        "security/signatures.py",
        "    _statement(found.payload, subject)\n",
        "",
        ("unit/test_keyless.py",),
    ),
    Mutant(
        "what a certificate does not prove is believed",
        "security/signatures.py",
        "    if found is None:\n        raise _RefusedError(Denial.UNKNOWN_SIGNER)\n",
        "    if found is None:\n"
        '        return Signature(root.id, Format.BUNDLE, "", "https://issuer.example", "x")\n',
        ("unit/test_keyless.py",),
    ),
    Mutant(
        "a certificate may be of two",
        "security/certificates.py",
        "if len(names) != 1 or len([*found]) != 1 or len(issuers) != 1:",
        "if len(issuers) != 1:",
        ("unit/test_keyless.py",),
    ),
    Mutant(
        "another signer is as good as the one before",
        "core/trusting.py",
        "return () if {s.id for s in now} & {s.id for s in past.signers} else now",
        "return ()",
        ("unit/test_trusting.py",),
    ),
    Mutant(
        "who signed is remembered anew each time",
        "core/proving.py",
        "if container.name in new or evidence.past.get(key, _NOTHING).signers:",
        "if container.name in new:",
        ("unit/test_trusting.py",),
    ),
    Mutant(
        "a tag is followed back",
        "core/trusting.py",
        "    if Pin(container.image, digest) not in past.replaced:\n",
        "    if True:\n",
        ("unit/test_trusting.py",),
    ),
    Mutant(
        "an update goes back without a word",
        "cli/update.py",
        "{} if back else returning",
        "{}",
        ("unit/test_cli.py", "-k", "moves_back"),
    ),
    Mutant(
        "what was replaced is forgotten",
        "registry/ledger.py",
        "        self._replaced(known, changed)\n",
        "",
        ("unit/test_past.py",),
    ),
    Mutant(
        "a held image is run all the same",
        "core/decide.py",
        "    if unproven is not None:",
        "    if False:",
        ("unit/test_trusting.py",),
    ),
    Mutant(
        "what was lost waits for a signature",
        "core/decide.py",
        "unproven = proving.unproven(create, evidence) if action is not Action.RESTART else None",
        "unproven = proving.unproven(create, evidence)",
        ("unit/test_trusting.py",),
    ),
    Mutant(
        "a file that is to warn holds",
        "core/proving.py",
        "    if trust is not None and _warns(trust):\n        return None\n",
        "",
        ("unit/test_trusting.py",),
    ),
    Mutant(
        "nobody guards what is judged",
        "core/planner.py",
        "trusting.guarded(spec, situation.evidence.trust),",
        "spec,",
        ("unit/test_trusting.py",),
    ),
    Mutant(
        "an image that is always asked for escapes",
        "core/pins.py",
        "asks = container.pull_policy is PullPolicy.ALWAYS and not container.guarded",
        "asks = container.pull_policy is PullPolicy.ALWAYS",
        ("unit/test_trusting.py",),
    ),
    Mutant(
        "the trust file may be written by anybody",
        "sources/trust_file.py",
        "if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):",
        "if False:",
        ("unit/test_trust_file.py",),
    ),
    Mutant(
        "the folder of the trust file may be",
        "sources/trust_file.py",
        "if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:",
        "if False:",
        ("unit/test_trust_file.py",),
    ),
    Mutant(
        "the trust file may be synced",
        "sources/trust_file.py",
        "if real.is_relative_to(folder.resolve()):",
        "if False:",
        ("unit/test_trust_file.py",),
    ),
    Mutant(
        "a trust file that is wanted may be missing",
        "sources/trust_file.py",
        "if before == (None,) and not self._required and not self._file.is_symlink():",
        "if before == (None,):",
        ("unit/test_trust_file.py",),
    ),
    Mutant(
        "an error undoes what was proved",
        "signatures.py",
        "found[subject] = replace(found.get(subject, told), error=told.error)",
        "found[subject] = told",
        ("unit/test_signature_workers.py",),
    ),
    Mutant(
        "a slow registry delays every other",
        "signatures.py",
        "AT_ONCE = 4",
        "AT_ONCE = 1",
        ("unit/test_signature_workers.py", "-k", "slow_ones"),
    ),
    Mutant(
        "a guarded container is made of any image",
        "drivers/memory/driver.py",
        "if self.world.ledger.recognised(name, found) != found:",
        "if False:",
        MEMORY_CONTRACT,
    ),
    Mutant(
        "a guarded image is asked for by its name",
        "drivers/memory/driver.py",
        "elif container.guarded and not (container.pin or reference.digest):",
        "elif False:",
        MEMORY_CONTRACT,
    ),
    Mutant(
        "adding a key loses what was there",
        "sources/trust_edit.py",
        "    if not same or keys != dict(known) or after.scopes != scopes:",
        "    if False:",
        ("unit/test_trust_cli.py",),
    ),
    # What stays and what goes
    Mutant(
        "only direct dependencies are protected",
        "core/removal.py",
        "stays = graph.closure(known | held.keys(), requires)",
        "stays = {n for a in known | held.keys() for n in (a, *requires.get(a, ()))}",
        ("unit/test_planner.py",),
    ),
    Mutant(
        "a folder that cannot be read removes what it held",
        "core/removal.py",
        "if not desired.complete:",
        "if False:",
        ("unit/test_planner.py",),
    ),
    Mutant(
        "an empty folder removes everything",
        "core/removal.py",
        "empty = not situation.desired.apps and not situation.desired.broken",
        "empty = False",
        ("unit/test_planner.py",),
    ),
    Mutant(
        "what others need goes before them",
        "core/removal.py",
        "first = [a for a in needed_by.get(app, ()) if a != app]",
        "first = []",
        ("unit/test_planner.py",),
    ),
    Mutant(
        "what came from a broken file is taken for unwanted",
        "core/removal.py",
        "if source is not None",
        "if source is None",
        ("unit/test_planner.py",),
    ),
    Mutant(
        "a secret is made anew beside data that was made with another",
        "core/gates.py",
        "for volume in () if seen else volumes:",
        "for volume in ():",
        ("unit/test_planner.py",),
    ),
    Mutant(
        "data is there before the secrets that it hangs on",
        "core/steps.py",
        "steps += [EnsureVolume(v) for v in comparison.spec.volumes]\n    steps += [Remove",
        "steps[:0] = [EnsureVolume(v) for v in comparison.spec.volumes]\n    steps += [Remove",
        ("unit/test_reconcile.py",),
    ),
    Mutant(
        "what the operator leaves alone is removed",
        "core/removal.py",
        "if word is not None and word.keep_running:",
        "if False:",
        ("unit/test_planner.py",),
    ),
    Mutant(
        "a suspension that is over goes on",
        "core/suspension.py",
        "active = [s for s in _about(desired, app) if s.until is None or now < s.until]",
        "active = list(_about(desired, app))",
        ("unit/test_suspension.py",),
    ),
    Mutant(
        "nobody looks when a suspension ends",
        "core/planner.py",
        "moments += suspension.ends(situation.desired, situation.now)",
        "moments += []",
        ("unit/test_planner.py",),
    ),
    Mutant(
        "an old word removes an app that came back",
        "core/removal.py",
        "c.created_at is None or c.created_at <= at + _BEING_MADE for c in containers",
        "True for c in containers",
        ("unit/test_planner.py",),
    ),
    Mutant(
        "data goes although a document may want it",
        "core/purging.py",
        "if doubt := _doubt(app, desired):",
        "if doubt := '':",
        ("unit/test_purging.py",),
    ),
    Mutant(
        "data goes under its containers",
        "core/purging.py",
        'if here := ", ".join(c.container_name for c in observed.of(app)):',
        "if here := '':",
        ("unit/test_purging.py",),
    ),
    Mutant(
        "whatever name is typed, the data goes",
        "cli/purge.py",
        ".strip() != app:",
        ".strip() == '':",
        ("unit/test_purge_cli.py",),
    ),
    Mutant(
        "a secret goes although its data could not",
        "cli/purge.py",
        "    gone: list[str] = []\n    try:",
        "    gone: list[str] = []\n    wiring.leftovers(settings).forget(app)\n    try:",
        ("unit/test_purge_cli.py",),
    ),
    Mutant(
        "a volume of somebody else's is deleted",
        "drivers/memory/volumes.py",
        'if not _app_of(world, instance, volume):\n        raise DriverRejected(f"cannot remove',
        'if False:\n        raise DriverRejected(f"cannot remove',
        MEMORY_CONTRACT,
    ),
    Mutant(
        "what others need is stopped under them",
        "core/stopping.py",
        "    if not first:\n        return change",
        "    if True:\n        return change",
        ("unit/test_planner.py",),
    ),
    Mutant(
        "a network that is left alone is forgotten",
        "model/observed.py",
        "| {n.app for n in self.networks}",
        "| set()",
        ("unit/test_isolation.py",),
    ),
    Mutant(
        "a file that is being written is taken for absent",
        "sources/directory.py",
        "complete=not unread,",
        "complete=True,",
        ("unit/test_resolve.py",),
    ),
    Mutant(
        "a confirmation never expires",
        "security/evidence.py",
        "if at <= now < at + _LASTS",
        "if at <= now",
        ("unit/test_evidence.py",),
    ),
    # What is done, and in which order
    Mutant(
        "a last good version updates what runs",
        "core/decide.py",
        "if stale and (action is Action.UPDATE or",
        "if stale and (",
        ("unit/test_planner.py",),
    ),
    Mutant(
        "an update stops what runs before it has the new image",
        "core/steps.py",
        "steps: list[Step] = [PrepareImage(c) for c in create]",
        "steps: list[Step] = [*stop(comparison.outdated), *(PrepareImage(c) for c in create)]",
        ("unit/test_planner.py",),
    ),
    Mutant(
        "the revision before goes although the new one does not serve yet",
        "core/decide.py",
        "if not going or not comparison.ready():",
        "if not going:",
        ("unit/test_planner.py",),
    ),
    Mutant(
        "a job that ended well is started again",
        "model/container.py",
        "return self.restart is not Restart.ALWAYS",
        "return False",
        ("unit/test_planner.py",),
    ),
    Mutant(
        "the order of equals is that of the file",
        "core/graph.py",
        "free = sorted((app for app, n in waiting.items() if n == 0), reverse=True)",
        "free = [app for app, n in waiting.items() if n == 0]",
        ("unit/test_graph.py",),
    ),
    Mutant(
        "a suspended app is good enough for its dependants",
        "core/planner.py",
        "(c.ready() or switching.stands_in(c) is not None) and not c.spec.suspended",
        "(c.ready() or switching.stands_in(c) is not None)",
        ("unit/test_planner.py", "unit/test_reconcile.py"),
    ),
    Mutant(
        "a removal goes on although the app is wanted again",
        "core/planner.py",
        "return spec is None and change.app not in desired.broken",
        "return True",
        ("unit/test_planner.py",),
    ),
    # Same or not
    Mutant(
        "another environment is the same container",
        "core/digest.py",
        '"build",\n',
        '"build",\n        "environment",\n',
        ("unit/test_digest.py",),
    ),
    Mutant(
        "a moved file is another container",
        "core/digest.py",
        '        "source",\n',
        "",
        ("unit/test_digest.py",),
    ),
    Mutant(
        "a built image is named by where it lies",
        "core/images.py",
        "made_of = json.dumps([build.content, build.containerfile, build.args])",
        "made_of = json.dumps([build.context, build.containerfile, build.args])",
        ("unit/test_resolve.py",),
    ),
    Mutant(
        "of an app written twice the first one wins",
        "core/resolve.py",
        "if len(documents) > 1:",
        "if False:",
        ("unit/test_resolve.py",),
    ),
    # Which image
    Mutant(
        "an image that is not the one asked for is good enough",
        "core/pins.py",
        "return not wanted.pin or wanted.pin == seen.image_digest",
        "return True",
        ("unit/test_pins.py",),
    ),
    Mutant(
        "a ledger that is lost asks registries anew",
        "core/pins.py",
        'return min(told, key=_running_first).image_digest if told else ""\n\n\ndef forgotten',
        'return ""\n\n\ndef forgotten',
        ("unit/test_pins.py",),
    ),
    Mutant(
        "a pin holds although the manifest names another image",
        "core/pins.py",
        "if pin is not None and pin.image == container.image else",
        "if pin is not None else",
        ("unit/test_pins.py",),
    ),
    Mutant(
        "labels take back an update that is under way",
        "core/pins.py",
        "if known is not None and known.image == container.image:\n                continue",
        "if False:\n                continue",
        ("unit/test_pins.py",),
    ),
    Mutant(
        "always never asks",
        "core/pins.py",
        "if asks and not made and not container.pin:",
        "if False:",
        ("unit/test_pins.py",),
    ),
    Mutant(
        "a second image wants the name of the first",
        "core/pins.py",
        "if any(s.container_name == name and s.image_digest != pin for s in own):",
        "if False:",
        ("unit/test_pins.py",),
    ),
    Mutant(
        "another image waits for the failures of the one before",
        "model/change.py",
        "return self.digest + self.pins",
        "return self.digest",
        ("unit/test_pins.py",),
    ),
    Mutant(
        "a password goes to where a redirect leads",
        "registry/client.py",
        "if goal.netloc != address.netloc:",
        "if False:",
        ("unit/test_registry.py",),
    ),
    Mutant(
        "a password goes to where it is read on the way",
        "registry/client.py",
        'if not realm.hostname or not (realm.scheme == "https" or at_home):',
        "if not realm.hostname:",
        ("unit/test_registry.py",),
    ),
    # Patience
    Mutant(
        "pauses never grow",
        "core/backoff.py",
        "seconds = FIRST_SECONDS * float(2 ** min(times - 1, 30))",
        "seconds = FIRST_SECONDS",
        ("unit/test_backoff.py",),
    ),
    Mutant(
        "an app that serves again is never forgiven",
        "core/backoff.py",
        "return Attempts(digest=attempts.digest)",
        "return attempts",
        ("unit/test_backoff.py",),
    ),
    Mutant(
        "a new revision waits for the failures of the one before",
        "core/planner.py",
        "if attempts is None or attempts.digest != change.attempt or not change.acts:",
        "if attempts is None or not change.acts:",
        ("unit/test_planner.py",),
    ),
    Mutant(
        "an engine that does not answer is asked at once, for ever",
        "controller.py",
        "doubled = FIRST_BACKOFF_SECONDS * 2 ** min(self._blind - 1, 10)",
        "doubled = 0.0",
        ("unit/test_controller.py",),
    ),
    # Updates that fail
    Mutant(
        "what failed is tried again",
        "core/rollback.py",
        "if failure.content == content and same:",
        "if False:",
        STORIES,
    ),
    Mutant(
        "another image is not tried after one that failed",
        "core/rollback.py",
        'images.get(name, "") in {"", image}',
        "True",
        ("unit/test_rollback.py",),
    ),
    Mutant(
        "a revision is given up for its dependency",
        "core/judging.py",
        "if update is None or _waits_for_others(situation, spec, containers):",
        "if update is None:",
        ("unit/test_rollback.py",),
    ),
    Mutant(
        "an update fails while the one before runs",
        "core/judging.py",
        "if comparison.ready() or still_runs(comparison):",
        "if comparison.ready():",
        ("unit/test_rollback.py",),
    ),
    Mutant(
        "one refused start is enough",
        "core/judging.py",
        "REFUSALS = 2",
        "REFUSALS = 1",
        ("unit/test_rollback.py",),
    ),
    Mutant(
        "what comes back from before has had its time",
        "core/judging.py",
        "    moments += [c.finished_at for c in comparison.outdated]\n",
        "",
        ("unit/test_rollback.py",),
    ),
    Mutant(
        "what was kept is to blame before it was started",
        "core/judging.py",
        ".get(name, 0 if attempts.by_container else attempts.starts)",
        ".get(name, attempts.starts)",
        ("unit/test_rollback.py",),
    ),
    Mutant(
        "what was never asked is late",
        "core/judging.py",
        "and _all_probed(update)",
        "",
        ("unit/test_rollback.py",),
    ),
    Mutant(
        "the way back runs the image that failed",
        "core/pins.py",
        "pin = container.pin or pin_of(container, seen, pins)",
        "pin = pin_of(container, seen, pins)",
        STORIES,
    ),
    Mutant(
        "what is taken back serves until it is stopped",
        "core/conditions.py",
        "(() if spec.rolled_back else comparison.outdated)",
        "comparison.outdated",
        STORIES,
    ),
    Mutant(
        "the one before goes as soon as the new one serves",
        "core/revisions.py",
        "if good is None or not comparison.spec.rollback or comparison.spec.rolled_back:",
        "if True:",
        ("unit/test_rollback.py",),
    ),
    Mutant(
        "whatever serves is good at once",
        "core/revisions.py",
        "serving_since(situation, comparison) + situation.window",
        "serving_since(situation, comparison)",
        ("unit/test_rollback.py",),
    ),
    Mutant(
        "what stands in is called good",
        "core/revisions.py",
        "if spec.suspended or spec.rolled_back or not comparison.ready():",
        "if spec.suspended or not comparison.ready():",
        ("unit/test_rollback.py",),
    ),
    Mutant(
        "stages of a start are counted as a crash loop",
        "core/backoff.py",
        "counts[name] = counts.get(name, 0 if counts else attempts.starts) + 1",
        'counts[""] = counts.get("", attempts.starts) + 1',
        STORIES,
    ),
    Mutant(
        "another try waits for the pause of the ones before",
        "core/backoff.py",
        "if app not in retried or (known.since is not None and known.since >= retried[app])",
        "if True",
        ("unit/test_backoff.py",),
    ),
    Mutant(
        "what needs another app waits its pause out",
        "core/looping.py",
        "return since is not None and any(",
        "return False and any(",
        STORIES,
    ),
    Mutant(
        "each try of what keeps ending serves",
        "core/conditions.py",
        "    return looping.loops(attempts, facts.change.attempt)",
        "    return False",
        STORIES,
    ),
    Mutant(
        "half a secret is shown",
        "last_words.py",
        'told = [_masked(_STEERING.sub("", line), masks) for line in lines]',
        'told = [_masked(_STEERING.sub("", line)[:LONGEST], masks) for line in lines]',
        ("unit/test_last_words.py",),
    ),
    Mutant(
        "a log is shown without knowing its secrets",
        "last_words.py",
        "except ReconcilerError:\n            return",
        "except ReconcilerError:\n            return words(lines, ()) or",
        ("unit/test_last_words.py", "-k", "without_all"),
    ),
    Mutant(
        "a revision that is understood in part is run",
        "security/spec_json.py",
        "        if unknown:\n",
        "        if False:\n",
        ("unit/test_revision_files.py",),
    ),
    Mutant(
        "every pass reads what is good",
        "security/revisions.py",
        "same = known is not None and known[0] == signature",
        "same = False",
        ("unit/test_revision_files.py",),
    ),
    # Health
    Mutant(
        "failures count in the start period",
        "core/health.py",
        "record.failures >= check.retries and not _in_start_period(check, container, record, now)",
        "record.failures >= check.retries",
        ("unit/test_health.py",),
    ),
    Mutant(
        "answers of an earlier run count",
        "core/health.py",
        "if record is None or (record.pid, record.started_at) !=",
        "if record is None or (0, 0) ==",
        ("unit/test_health.py",),
    ),
    Mutant(
        "a failure that must not count counts",
        "probes.py",
        "failures=record.failures + counts,",
        "failures=record.failures + 1,",
        ("unit/test_probes.py",),
    ),
    # What is told
    Mutant(
        "every pass moves the time of every answer",
        "core/conditions.py",
        "since = old.last_transition if old and old.status == status else now",
        "since = now",
        ("unit/test_conditions.py",),
    ),
    Mutant(
        "each new try takes back that a person must act",
        "core/conditions.py",
        "if often and attempts.digest == change.attempt and",
        "if False and",
        ("unit/test_conditions.py",),
    ),
    # Lanes and steps
    Mutant(
        "a busy lane takes a second change",
        "lanes.py",
        "if self._closed or change.app in self._lanes:",
        "if self._closed:",
        ("unit/test_lanes.py",),
    ),
    Mutant(
        "a bug in a step leaves the lane busy for ever",
        "lanes.py",
        "except Exception as error:",
        "except ArithmeticError as error:\n            raise\n        except Exception as error:",
        ("unit/test_lanes.py",),
    ),
    Mutant(
        "a refusal is asked again",
        "apply.py",
        "retry=retry_if_exception_type(DriverUnavailable),",
        "retry=retry_if_exception_type(ReconcilerError),",
        ("unit/test_apply.py",),
    ),
    Mutant(
        "a change that nobody wants any more goes on",
        "apply.py",
        "if stop.is_set():",
        "if False:",
        ("unit/test_apply.py",),
    ),
    Mutant(
        "a container that is there cannot be created again",
        "drivers/memory/driver.py",
        "                return box.ref\n            self._check_parts(container)",
        '                raise DriverRejected("cannot")\n            self._check_parts(container)',
        MEMORY_CONTRACT,
    ),
    # Dependencies, secrets, files
    Mutant(
        "the default of the catalogue goes before what is wanted",
        "core/providers.py",
        "return next(iter(requested or providers), None)",
        "return next(iter(providers), None)",
        ("unit/test_providers.py",),
    ),
    Mutant(
        "any version will do",
        "core/providers.py",
        "if manifest.version is not None and admits(dependency.version, manifest.version):",
        "if manifest.version is not None:",
        ("unit/test_providers.py",),
    ),
    Mutant(
        "an optional dependency is installed",
        "core/providers.py",
        "            and not dependency.optional\n",
        "",
        ("unit/test_providers.py",),
    ),
    Mutant(
        "what was made with a lost secret gets another",
        "core/gates.py",
        "if not lost:",
        "if True:",
        ("unit/test_planner.py",),
    ),
    Mutant(
        "a secret may stand in a command",
        "core/filling.py",
        "if not is_plain(pieces):",
        "if False:",
        ("unit/test_templates.py",),
    ),
    Mutant(
        "an answer is a template itself",
        "core/filling.py",
        "return scope.parameters[name]",
        "return fill(str(scope.parameters[name][0]), scope)",
        ("unit/test_templates.py",),
    ),
    Mutant(
        "files are written only when the container is made",
        "core/steps.py",
        "        if container.files or container.shares:",
        "        if create:",
        ("unit/test_planner.py",),
    ),
    Mutant(
        "every start of a dependency is followed",
        "core/planner.py",
        "if r.restart_with)",
        "if r.app)",
        ("unit/test_planner.py",),
    ),
    Mutant(
        "what runs loses what only its next revision does without",
        "core/removal.py",
        "requires.setdefault(app, set()).update(",
        "requires[app] = set(",
        ("unit/test_planner.py",),
    ),
    # Files
    Mutant(
        "a half-written file is taken",
        "sources/directory.py",
        "wait = self._settle - max(now - file.pending_since, self._age(signature))",
        "wait = 0.0",
        ("unit/test_directory.py",),
    ),
    Mutant(
        "a broken version is kept as the last good one",
        "sources/directory.py",
        "            if not file.loaded.problems:\n",
        "            if True:\n",
        ("unit/test_directory.py",),
    ),
    Mutant(
        "a folder that is replaced is watched no more",
        "sources/watch.py",
        "if _identity(self._root) != identity:\n                return",
        "if False:\n                return",
        ("unit/test_watch.py", "-k", "link or replaced or deleted"),
    ),
    # What volumes hold
    Mutant(
        "at its limit of disk the answer comes and goes",
        "core/disk.py",
        "_CALM_PERCENT = 95",
        "_CALM_PERCENT = 101",
        ("unit/test_conditions.py",),
    ),
    Mutant(
        "what some volumes hold is told of all",
        "usage.py",
        "            if found is None:\n                return None",
        "            if found is None:\n                continue",
        ("unit/test_usage.py",),
    ),
    Mutant(
        "what may not be read counts as nothing",
        "drivers/podman/volume_size.py",
        "if any(not line.endswith(_VANISHED) for line in complaints.splitlines()):",
        "if False:",
        ("unit/test_volume_size.py",),
    ),
    # Who reaches whom
    Mutant(
        "a connection opens the other way as well",
        "core/relations.py",
        "passages = {p for c in spec.connections for p in _passages(c, around)}",
        "passages = {p for a in around.situation.desired.apps.values()"
        " for c in a.connections for p in _passages(c, around)}",
        ("unit/test_isolation.py",),
    ),
    Mutant(
        "what is held runs on without rules",
        "core/isolation.py",
        "if rules is not None and (not anything or spec.left_alone or comparison.to_create()):\n"
        "        return _led(change, comparison, wanted, rules)\n"
        "    if not anything:",
        "if not anything or spec.left_alone or comparison.to_create():",
        ("unit/test_isolation.py",),
    ),
    Mutant(
        "an app starts before its rules are in force",
        "core/isolation.py",
        "    if around.in_force.get(spec.id) != wanted:\n",
        "    if False:\n",
        ("unit/test_isolation.py",),
    ),
    Mutant(
        "where no rules can be had networks are left open",
        "core/isolation.py",
        "return EnsureNetwork(replace(step.network, sealed=True))",
        "return step",
        ("unit/test_isolation.py",),
    ),
    Mutant(
        "where no rules can be had an app runs without its connection",
        "core/isolation.py",
        "if spec.connections and _starts(change):",
        "if False:",
        ("unit/test_isolation.py",),
    ),
    Mutant(
        "the rules of an app that is gone stay",
        "core/removal.py",
        "if any(rules.app == app for rules in situation.observed.isolation):",
        "if False:",
        ("unit/test_isolation.py",),
    ),
    Mutant(
        "a table that lacks a rule is taken for whole",
        "drivers/podman/nftables.py",
        'or len(_of(items, "rule")) != rules_:',
        "or False:",
        ("unit/test_nftables.py",),
    ),
    # Who takes over
    Mutant(
        "a revision takes over before it is well",
        "core/switching.py",
        "if _runs(seen) and (well or alone):",
        "if _runs(seen):",
        ("unit/test_handover_stories.py",),
    ),
    Mutant(
        "what is unwell keeps the port",
        "core/switching.py",
        "(served and state is not HealthState.UNHEALTHY)",
        "served",
        ("unit/test_handover_stories.py",),
    ),
    Mutant(
        "the one that served is not told from the others",
        "core/switching.py",
        "return min(others, key=lambda c: c.ref != comparison.leads_to, default=None)",
        "return min(others, key=lambda c: c.ref == comparison.leads_to, default=None)",
        ("unit/test_switching.py",),
    ),
    Mutant(
        "the one before is stopped when the next one starts",
        "core/steps.py",
        "if start and not beside:",
        "if start:",
        ("unit/test_handover_stories.py",),
    ),
    Mutant(
        "whoever serves counts as idle",
        "core/switching.py",
        "return tuple(c for c in before(comparison) if c != needed)",
        "return tuple(before(comparison))",
        ("unit/test_handover_stories.py",),
    ),
    Mutant(
        "the one before is stopped before the port leads to the next",
        "core/decide.py",
        "if not switching.taken_over(comparison):",
        "if False:",
        ("unit/test_switching.py",),
    ),
    Mutant(
        "who is connected is cut off",
        "core/switching.py",
        "for kind in (DrainContainer, StopContainer)",
        "for kind in (StopContainer,)",
        ("unit/test_handover_stories.py",),
    ),
    Mutant(
        "an update that fails beside the one before is never judged",
        "core/judging.py",
        "return runs and not switching.hands_over(comparison.spec)",
        "return runs",
        ("unit/test_handover_stories.py",),
    ),
    Mutant(
        "what is stopped keeps its port",
        "core/isolation.py",
        "lead = wanted.lead if any(c.state in _ALIVE for c in every) else None",
        "lead = wanted.lead or rules.lead",
        ("unit/test_handover_stories.py",),
    ),
    Mutant(
        "a revision is reached at the port of the next one",
        "core/leads.py",
        "return good.spec.container(seen.container) if good and belongs(good, seen) else None",
        "return comparison.spec.container(seen.container)",
        ("unit/test_handover_stories.py",),
    ),
    Mutant(
        "a port that leads elsewhere is taken for free",
        "core/leads.py",
        "if port is not None and app != spec.id:",
        "if False:",
        ("unit/test_handover_stories.py",),
    ),
    Mutant(
        "the engine publishes what our rules lead",
        "drivers/podman/create_request.py",
        "[] if container.led else [_port(port) for port in container.ports]",
        "[_port(port) for port in container.ports]",
        ("unit/test_create_request.py",),
    ),
    Mutant(
        "a port of the loopback leads in from outside",
        "drivers/podman/nftables.py",
        "    ip daddr 127.0.0.0/8 accept\n",
        "",
        ("unit/test_nftables.py",),
    ),
    Mutant(
        "an app goes round by a port that leads to another",
        "drivers/podman/nftables.py",
        "    iifname @members accept\n    ip daddr",
        "    ip daddr",
        ("unit/test_nftables.py",),
    ),
    Mutant(
        "a table that leads for a stranger is taken for ours",
        "drivers/podman/nftables.py",
        "if leads.keys() - {i.app for i in found}:",
        "if False:",
        ("unit/test_nftables.py",),
    ),
    Mutant(
        "answers that were not delivered count as ended",
        "drivers/podman/draining.py",
        '{"01", "03", "04", "08", "09", "0B"}',
        '{"01"}',
        ("unit/test_draining.py",),
    ),
    Mutant(
        "both revisions may write the same data",
        "model/manifest/handover.py",
        'if volume.type is not MountKind.TMPFS and "ro" not in volume.options:',
        "if False:",
        ("unit/test_manifest_errors.py",),
    ),
    # The way out, and the trial of it
    Mutant(
        "a way out that changed is not taken",
        "core/relations.py",
        "        spec.egress,\n",
        "",
        ("unit/test_isolation.py",),
    ),
    Mutant(
        "who may ask nobody is not told its own names",
        "core/relations.py",
        "found = _own_names(spec, around) if spec.egress is Egress.NONE else {}",
        "found = {}",
        ("unit/test_isolation.py",),
    ),
    Mutant(
        "where no rules can be had an app runs with every way out",
        "core/isolation.py",
        "if spec.egress is not Egress.INTERNET and _starts(change):",
        "if False:",
        ("unit/test_isolation.py",),
    ),
    Mutant(
        "an app of which nothing is known keeps its way out",
        "core/isolation.py",
        "rules = IsolationSpec(app, network.interface, egress=Egress.NONE)",
        "rules = IsolationSpec(app, network.interface)",
        ("unit/test_isolation.py",),
    ),
    Mutant(
        "a table for another local network is taken for ours",
        "drivers/podman/nftables.py",
        'if _networks((*_listed(sets["lan4"]), *_listed(sets["lan6"]))) != _networks(lan):',
        "if False:",
        ("unit/test_nftables.py",),
    ),
    Mutant(
        "capabilities that nobody listed are no difference",
        "core/confining.py",
        "more = sorted(set(found.capabilities) - set(spec.capabilities))",
        "more = sorted(set[str]())",
        ("unit/test_confining.py",),
    ),
    Mutant(
        "what could not be read is called confined",
        "core/confining.py",
        "if not running or any(seen.confinement is None for _, seen in running):",
        "if not running:",
        ("unit/test_confining.py",),
    ),
    Mutant(
        "a wish of one container hides the fault of another",
        "core/confining.py",
        "if found is None or spec.privileged:",
        "if found is None or spec.no_new_privileges:",
        ("unit/test_confining.py",),
    ),
    Mutant(
        "limits that nothing enforces are called confinement",
        "core/confining.py",
        "    if unlimited and limits:",
        "    if False:",
        ("unit/test_confining.py",),
    ),
    Mutant(
        "limits that nobody can read are called confinement",
        "core/confining.py",
        "if seen.limits is None and _limited(spec)]",
        "if False]",
        ("unit/test_confining.py",),
    ),
    Mutant(
        "nobody is told that a box limits nothing",
        "core/confining.py",
        "    if not why or not any(_limited(c) for spec in apps for c in spec.containers):",
        "    if True:",
        ("unit/test_confining.py",),
    ),
    Mutant(
        "what belongs to other ids of a user is not measured",
        "drivers/podman/volume_size.py",
        "as_whom = () if rootful else _AS_ROOT_OF_CONTAINERS",
        "as_whom = ()",
        ("unit/test_volume_size.py",),
    ),
    Mutant(
        "the data of a user goes where only root may write",
        "config.py",
        "if os.geteuid() == 0 or os.access(SYSTEM_DATA, os.W_OK):",
        "if True:",
        ("unit/test_config.py",),
    ),
    Mutant(
        "the capabilities that a process can still get are not counted",
        "drivers/podman/live_confinement.py",
        "        together |= int(each, 16)",
        "        together = int(each, 16)",
        ("unit/test_live_confinement.py",),
    ),
    Mutant(
        "another process with the same number is not read anew",
        "drivers/podman/live_confinement.py",
        "if known is not None and known[:2] == (pid, began):",
        "if known is not None and known[0] == pid:",
        ("unit/test_live_confinement.py",),
    ),
    Mutant(
        "a runtime on its way is taken for the program",
        "drivers/podman/live_confinement.py",
        "if _UNDER_WAY.match(program) or not mounts",
        "if not mounts",
        ("unit/test_live_confinement.py",),
    ),
    Mutant(
        "the strict filter lets clone make namespaces",
        "drivers/podman/seccomp.py",
        "_NAMESPACES = 0x7E020000",
        "_NAMESPACES = 0",
        ("unit/test_seccomp.py",),
    ),
    Mutant(
        "a capability brings refused calls back",
        "drivers/podman/seccomp.py",
        '[n for n in rule["names"] if n not in REFUSED and',
        '[n for n in rule["names"] if (rule.get("includes") or n not in REFUSED) and',
        ("unit/test_seccomp.py",),
    ),
    Mutant(
        "what a program wrote into the kernel's log is believed",
        "drivers/podman/kernel_log.py",
        "return number.isdigit() and int(number) < _FACILITIES",
        "return number.isdigit()",
        ("unit/test_kernel_log.py",),
    ),
    Mutant(
        "numbers of another namespace's processes are taken for ours",
        "drivers/podman/kernel_log.py",
        "opened(log) if is_counted_as_here(proc) else None",
        "opened(log)",
        ("unit/test_kernel_log.py",),
    ),
    Mutant(
        "root of a later part of the map is overlooked",
        "drivers/podman/live_confinement.py",
        'return bool(outside) and ["0"] not in outside and [] not in outside',
        'return bool(outside) and ["0"] != outside[0] and [] not in outside',
        ("unit/test_live_confinement.py",),
    ),
    Mutant(
        "the last part of the numbers leads out of them",
        "drivers/podman/users.py",
        "chosen = int(hashlib.sha256(key.encode()).hexdigest(), 16) % parts",
        "chosen = int(hashlib.sha256(key.encode()).hexdigest(), 16) % (parts + 1)",
        ("unit/test_users.py",),
    ),
    Mutant(
        "root's own number is given away",
        "drivers/podman/users.py",
        "int(f) > 0 for f in fields",
        "int(f) >= 0 for f in fields",
        ("unit/test_users.py",),
    ),
    Mutant(
        "root inside that is root outside goes untold",
        "core/confining.py",
        'if spec.userns == "auto" and not found.own_users:',
        'if spec.userns == "none" and not found.own_users:',
        ("unit/test_confining.py",),
    ),
    Mutant(
        "a denial in a profile shuts what may be written below",
        "drivers/podman/apparmor_profile.py",
        'if not any(other.startswith(f"{target}/") for other in written):',
        "if True:",
        ("unit/test_apparmor.py",),
    ),
    Mutant(
        "a path opens a profile",
        "drivers/podman/apparmor_profile.py",
        'escaped = "".join(f"\\\\{c}" if c in _SPECIAL else c for c in path)',
        "escaped = path",
        ("unit/test_apparmor.py",),
    ),
    Mutant(
        "what requires a profile is made without one",
        "drivers/podman/apparmor.py",
        'return "" if wanted == DEFAULT else _refuse(container, why)',
        'return ""',
        ("unit/test_apparmor.py",),
    ),
    Mutant(
        "a profile is not loaded again after a boot",
        "drivers/podman/apparmor.py",
        "if file.name not in loaded:",
        "if False:",
        ("unit/test_apparmor.py",),
    ),
    Mutant(
        "a profile that only watches counts as enforced",
        "core/confining.py",
        "return mode == _ENFORCED and _is_its_own(profile, seen)",
        "return _is_its_own(profile, seen)",
        ("unit/test_confining.py",),
    ),
    Mutant(
        "a link that an app laid has another directory labelled",
        "drivers/podman/selinux.py",
        'source = Path(str(mount["source"])).resolve()',
        'source = Path(str(mount["source"]))',
        ("unit/test_selinux.py",),
    ),
    Mutant(
        "what reaches too much is called isolated",
        "core/verifying.py",
        "if ok is False and a.wanted is not Wanted.ARRIVES]",
        "if False]",
        ("unit/test_verifying.py",),
    ),
    Mutant(
        "silence is taken for a proof",
        "core/verifying.py",
        "return None if reach is Reach.SILENT else reach is Reach.SHUT",
        "return not reach.arrived",
        ("unit/test_verifying.py",),
    ),
    Mutant(
        "a refusal is taken for not having arrived",
        "model/trial.py",
        "return self in {Reach.OPEN, Reach.CLOSED}",
        "return self is Reach.OPEN",
        ("unit/test_verifying.py",),
    ),
    Mutant(
        "a result of other rules is believed",
        "core/verifying.py",
        "if tried is not None and tried.trial == trial:",
        "if tried is not None:",
        ("unit/test_verifying.py",),
    ),
    Mutant(
        "a result that came once is believed",
        "trials.py",
        "if due.runs == 1 or (",
        "if (",
        ("unit/test_trials.py",),
    ),
    # What only shows when many things go wrong in turn
    Mutant(
        "half the box goes without a word",
        "core/removal.py",
        "if len(unconfirmed) <= limit and not empty:",
        "if True:",
        ANYTHING_GOES,
    ),
    Mutant(
        "what starts is shut in afterwards",
        "core/isolation.py",
        "[*steps_[:first], step, *steps_[first:]]",
        "[*steps_[:first + 1], step, *steps_[first + 1:]]",
        ANYTHING_GOES,
    ),
    Mutant(
        "a dependency is removed before what needs it",
        "core/removal.py",
        "needed_by = graph.dependants({app: _requires(containers[app]) for app in going})",
        "needed_by = graph.dependants({app: () for app in going})",
        ANYTHING_GOES,
    ),
    Mutant(
        "what is left alone is put right",
        "core/drift.py",
        "if comparison.spec.suspended or comparison.spec.left_alone:",
        "if comparison.spec.suspended:",
        ANYTHING_GOES,
    ),
    # What an app may do
    Mutant(
        "what nobody approved is installed",
        "core/admission.py",
        "missing = uncovered(policy.asked(spec, found.policy), found.approved)",
        "missing = ()",
        ("unit/test_admission.py",),
    ),
    Mutant(
        "of two approvals the first counts",
        "core/approvals.py",
        "if len(said) == 1 else ()",
        "if said else ()",
        ("unit/test_admission.py",),
    ),
    Mutant(
        "what runs is stopped when its approval is revoked",
        "core/admission.py",
        "stops = found.policy.revoked is Revoked.STOP and",
        "stops =",
        ("unit/test_admission.py",),
    ),
    Mutant(
        "what runs is stopped though the approval may be in a file that cannot be read",
        "core/admission.py",
        "found.certain and bool(running)",
        "bool(running)",
        ("unit/test_admission.py",),
    ),
    Mutant(
        "a revision that was kept to go back to is let in without an approval",
        "core/admission.py",
        "return good is None or any(c.state in _PROCESS for c in new)",
        "return True",
        ("unit/test_admission.py",),
    ),
    Mutant(
        "a new connection is open before anybody approved it",
        "core/admission.py",
        'return f"{app}:{port}" not in denied or (app, port) in had',
        "return True",
        ("unit/test_admission.py",),
    ),
    Mutant(
        "nobody starts again what runs while an update waits",
        "core/admission.py",
        "    if good is None:\n",
        "    if True:\n",
        ("unit/test_approval_stories.py",),
    ),
    Mutant(
        "a stop by policy is cancelled again and again",
        "core/planner.py",
        "return spec.suspended or spec.denial is not None",
        "return spec.suspended",
        ("unit/test_admission.py",),
    ),
    Mutant(
        "a folder that may be read may be written",
        "core/permissions.py",
        'approved.value == wanted.value and approved.mode == "rw"',
        "approved.value == wanted.value",
        ("unit/test_permissions.py",),
    ),
    Mutant(
        "a folder covers all that is below it",
        "core/permissions.py",
        'approved.value == wanted.value and approved.mode == "rw"',
        'wanted.value.startswith(approved.value) and approved.mode == "rw"',
        ("unit/test_permissions.py",),
    ),
    Mutant(
        "what is mounted read-only is only read, though its owners are changed",
        "core/permissions.py",
        '"ro" in mount.options and _CHANGES_THE_HOST.isdisjoint(mount.options)',
        '"ro" in mount.options',
        ("unit/test_permissions.py",),
    ),
    Mutant(
        "a folder around a system folder is harmless",
        "core/risks.py",
        "or any(_is_within(place, path) for place in _HOST_PATHS)",
        "",
        ("unit/test_permissions.py",),
    ),
    Mutant(
        "a policy that cannot be read rules nothing",
        "core/policy.py",
        "return (policy.unreadable,)",
        "return ()",
        ("unit/test_policy.py",),
    ),
    Mutant(
        "a policy may be written by the group",
        "security/policy.py",
        "(stat.S_IWGRP | stat.S_IWOTH)",
        "stat.S_IWOTH",
        ("unit/test_policy_file.py",),
    ),
    Mutant(
        "a policy that vanished is none",
        "security/policy.py",
        "return NO_POLICY if self._seen is None else",
        "return NO_POLICY if True else",
        ("unit/test_policy_file.py",),
    ),
    Mutant(
        "an approval whose list was edited counts",
        "model/manifest/approval.py",
        "if self.hash != permission_hash(self.permissions):",
        "if False:",
        ("unit/test_manifest_errors.py",),
    ),
    Mutant(
        "a script approves what it has not read",
        "cli/prompt.py",
        "elif request.hash not in accepted:",
        "elif not accepted:",
        ("unit/test_approve_cli.py",),
    ),
)


def plant(mutant, place):
    """Copy package and tests to `place`, and the bug into the copy."""
    away = shutil.ignore_patterns("__pycache__", "e2e", "bench", "integration")
    for folder in ("reconciler", "tests"):
        shutil.copytree(CHECKOUT / folder, place / folder, ignore=away)
    shutil.copy(CHECKOUT / "pyproject.toml", place)
    if mutant is None:
        return
    path = place / "reconciler" / mutant.file
    if times(mutant) != 1:
        raise LookupError(f"{mutant.file} holds {times(mutant)} times, not once: {mutant.old!r}")
    path.write_text(path.read_text().replace(mutant.old, mutant.new))


def times(mutant):
    """Return how often the text that it changes is there."""
    return (CHECKOUT / "reconciler" / mutant.file).read_text().count(mutant.old)


def part(share):
    """
    Return about one in `share`, the same ones for the same code.

    Which ones follows from the text of the file that they break, so each change draws anew, and
    nothing else does: neither the date nor the order of the list.
    """

    def drawn(mutant):
        code = (CHECKOUT / "reconciler" / mutant.file).read_bytes()
        return int.from_bytes(sha256(mutant.why.encode() + code).digest()[:8])

    return [m for m in MUTANTS if drawn(m) % share == 0]


def run(mutant, tests):
    """Return whether the tests noticed, and what they said."""
    with tempfile.TemporaryDirectory(prefix="archipelago-mutant-") as folder:
        place = Path(folder)
        plant(mutant, place)
        files = [f"tests/{t}" if t.endswith(".py") else t for t in tests]
        done = subprocess.run(
            [sys.executable, "-B", "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *files],
            cwd=place,
            env={**os.environ, "PYTHONPATH": folder, "COLUMNS": "99", "CHAOS_SHRINK": "no"},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        told = done.stdout.replace(folder, "") + done.stderr
        if done.returncode not in {0, 1}:  # neither passed nor failed: the tests did not run
            raise RuntimeError(f"pytest ended with {done.returncode}:\n{told[-2000:]}")
        return done.returncode == 1, told


def verdict(mutant):
    began = time.monotonic()
    noticed, told = run(mutant, mutant.tests)
    lines = told.splitlines()
    by = next((line for line in lines if line.startswith("FAILED")), "")
    return noticed, time.monotonic() - began, by.removeprefix("FAILED tests/").partition(" - ")[0]


def main(words):
    chosen = [m for m in MUTANTS if not words or any(w in m.why for w in words)]
    began = time.monotonic()
    survived = 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for mutant, (noticed, seconds, by) in zip(chosen, pool.map(verdict, chosen), strict=True):
            survived += not noticed
            word = "caught  " if noticed else "SURVIVED"
            print(f"{word} {seconds:5.1f} s  {mutant.file:22}  {mutant.why}")
            if by:
                print(f"{'':19}by {by[:120]}")
    print(f"\n{len(chosen)} mutants, {survived} survived, {time.monotonic() - began:.0f} s")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
