"""Signs images as Cosign does, in both of its formats, and a small registry to put that into."""

import base64
import hashlib
import http.server
import json
import threading
from dataclasses import dataclass, field

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
SIMPLE = "application/vnd.dev.cosign.simplesigning.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"
SIGN = "https://sigstore.dev/cosign/sign/v1"
SBOM = "https://cyclonedx.org/bom"
PAYLOAD = "application/vnd.in-toto+json"


def make_key(kind="p256"):
    match kind:
        case "p256":
            return ec.generate_private_key(ec.SECP256R1())
        case "p384":
            return ec.generate_private_key(ec.SECP384R1())
        case "p521":
            return ec.generate_private_key(ec.SECP521R1())
        case "k256":
            return ec.generate_private_key(ec.SECP256K1())
        case "rsa":
            return rsa.generate_private_key(65537, 2048)
        case "rsa1024":
            return rsa.generate_private_key(65537, 1024)  # too short, which is the point
        case "ed25519":
            return ed25519.Ed25519PrivateKey.generate()


def pem(key):
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def key_id(key):
    der = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(der).hexdigest()


def sign(key, content, hashed=None):
    match key:
        case ec.EllipticCurvePrivateKey():
            own = {"secp384r1": hashes.SHA384, "secp521r1": hashes.SHA512}
            way = hashed or own.get(key.curve.name, hashes.SHA256)
            return key.sign(content, ec.ECDSA(way()))
        case rsa.RSAPrivateKey():
            return key.sign(content, padding.PKCS1v15(), hashes.SHA256())
        case _:
            return key.sign(content)


def text(data):
    return base64.b64encode(data).decode()


def compact(document):
    return json.dumps(document, separators=(",", ":")).encode()


def digest_of(content):
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def simple(repository, digest, kind="cosign container image signature"):
    return compact(
        {
            "critical": {
                "identity": {"docker-reference": repository},
                "image": {"docker-manifest-digest": digest},
                "type": kind,
            },
            "optional": None,
        }
    )


def statement(digest, predicate=SIGN, kind="https://in-toto.io/Statement/v1"):
    algorithm, _, digits = digest.partition(":")
    about = [{"name": "", "digest": {algorithm: digits}}]
    told = {"_type": kind, "subject": about, "predicateType": predicate, "predicate": {}}
    return compact(told)


def pre_authenticated(content, kind=PAYLOAD):
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(content), content)


def bundle(key, content, *, payload_type=PAYLOAD, media_type=BUNDLE, hashed=None, **more):
    signature = text(sign(key, pre_authenticated(content, payload_type), hashed))
    envelope = {
        "payload": text(content),
        "payloadType": payload_type,
        "signatures": [{"sig": signature}],
    }
    hint = {"publicKey": {"hint": text(bytes.fromhex(key_id(key)))}}
    told = {"mediaType": media_type, "verificationMaterial": hint, "dsseEnvelope": envelope}
    return compact(told | more)


@dataclass
class Shelf:
    """What one repository holds: manifests by digest and by tag, blobs by digest."""

    manifests: dict = field(default_factory=dict)  # name → (media type, bytes)
    blobs: dict = field(default_factory=dict)

    def blob(self, content, media_type):
        digest = digest_of(content)
        self.blobs[digest] = content
        return {"mediaType": media_type, "digest": digest, "size": len(content)}

    def manifest(self, document, tag=None):
        content = compact(document)
        digest = digest_of(content)
        self.manifests[digest] = (document["mediaType"], content)
        if tag:
            self.manifests[tag] = (document["mediaType"], content)
        return {"mediaType": document["mediaType"], "digest": digest, "size": len(content)}

    def image(self, version, tag="1"):
        config = self.blob(
            compact({"version": version}), "application/vnd.oci.image.config.v1+json"
        )
        made = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": []}
        return self.manifest(made, tag)["digest"]

    def index(self, *digests, tag="1"):
        listed = [{"mediaType": MANIFEST, "digest": d, "size": 1} for d in digests]
        made = {"schemaVersion": 2, "mediaType": INDEX, "manifests": listed}
        return self.manifest(made, tag)["digest"]

    def sign_classic(self, digest, *signed):
        """`signed` are pairs of a payload and a signature, as many as there are signers."""
        layers = []
        for content, signature in signed:
            layer = self.blob(content, SIMPLE)
            layer["annotations"] = {"dev.cosignproject.cosign/signature": text(signature)}
            layers.append(layer)
        config = self.blob(b"{}", "application/vnd.oci.image.config.v1+json")
        made = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}
        self.manifest(made, digest.replace(":", "-") + ".sig")

    def refer(self, digest, content, *, media_type=BUNDLE, listed_as=EMPTY, subject=None):
        """Put a bundle beside an image, in the list under the tag that stands in for an API."""
        layer = self.blob(content, media_type)
        config = self.blob(b"{}", EMPTY)
        about = {"mediaType": MANIFEST, "digest": subject or digest, "size": 1}
        made = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": media_type,
            "config": config,
            "layers": [layer],
            "subject": about,
        }
        descriptor = self.manifest(made) | {"artifactType": listed_as}
        tag = digest.replace(":", "-")
        before = json.loads(self.manifests[tag][1])["manifests"] if tag in self.manifests else []
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [*before, descriptor]}
        self.manifest(index, tag)


class PaperRegistry:
    """Serves shelves on loopback over plain HTTP; `twist(path, body)` may make it lie."""

    def __init__(self):
        self.shelves = {}
        self.referrers = False
        self.twist = lambda _path, body: body
        self.asked = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_HEAD(self):
                outer.answer(self, head=True)

            def do_GET(self):
                outer.answer(self, head=False)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # whoever asked has gone
        self.host = f"localhost:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    def shelf(self, name="team/web"):
        return self.shelves.setdefault(name, Shelf())

    def find(self, path):
        if path == "/v2/":
            return "application/json", b"{}"
        name, kind, what = path.removeprefix("/v2/").rsplit("/", 2)
        shelf = self.shelves.get(name, Shelf())
        match kind:
            case "manifests":
                return shelf.manifests.get(what)
            case "blobs":
                content = shelf.blobs.get(what)
                return None if content is None else ("application/octet-stream", content)
            case "referrers" if self.referrers:
                found = shelf.manifests.get(what.replace(":", "-"))
                empty = {"schemaVersion": 2, "mediaType": INDEX, "manifests": []}
                return found or (INDEX, compact(empty))
        return None

    def answer(self, request, *, head):
        self.asked.append(request.path)
        found = self.find(request.path)
        if found is None:
            request.send_response(404)
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        kind, body = found
        body = self.twist(request.path, body)
        request.send_response(200)
        request.send_header("Content-Type", kind)
        if isinstance(body, bytes):
            request.send_header("Content-Length", str(len(body)))
        if "/manifests/" in request.path:
            request.send_header("Docker-Content-Digest", digest_of(found[1]))
        request.end_headers()
        if not head:
            for piece in [body] if isinstance(body, bytes) else body:
                request.wfile.write(piece)

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(10)
