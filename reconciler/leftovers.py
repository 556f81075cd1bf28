"""
What the state folder keeps of an app, so that it comes back with its data; and the end of it.

Nothing here decides: it is asked when the app's volumes are gone.
"""

import shutil
from pathlib import Path

from msgspec import Struct

from reconciler.model.volume import Kept
from reconciler.registry.ledger import FileLedger
from reconciler.registry.past import PastFile
from reconciler.security.revisions import RevisionFiles
from reconciler.security.secrets import SecretFiles
from reconciler.sources import kept_documents


class Leftovers(Struct, frozen=True):
    """The places in the state folder where something of an app is kept."""

    secrets: SecretFiles
    ledger: FileLedger
    past: PastFile
    shares: Path
    last_good: Path
    revisions: RevisionFiles

    def of(self, app: str) -> Kept:
        """Return what is kept of an app. Raises OSError."""
        copies = self.shares / app
        return Kept(
            secrets=self.secrets.names(app),
            copies=sum(1 for file in copies.rglob("*") if file.is_file()),
            pins=sum(1 for of, _ in self.ledger.pins() if of == app),
            documents=kept_documents.count(self.last_good, app),
        )

    def forget(self, app: str) -> None:
        """Have nothing of it kept; secrets last, since data may hang on them. Raises OSError."""
        kept_documents.forget(self.last_good, app)
        self.ledger.forget(app)
        self.past.forget(app)
        self.revisions.forget(app)
        if (self.shares / app).exists():
            shutil.rmtree(self.shares / app)
        self.secrets.forget(app)
