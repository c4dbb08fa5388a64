"""A page in headless Chromium, and what it did that it should not have done."""

import json
import os
import shutil
import tempfile

try:
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service
except ImportError:
    webdriver = None

WATCH = """
window.seen = {violations: [], errors: []};
document.addEventListener('securitypolicyviolation',
  (event) => seen.violations.push(event.violatedDirective + ' ' + event.sample));
window.addEventListener('error', (event) => seen.errors.push(event.message));
"""


def missing() -> str:
    """What a browser test needs and this machine has not; empty where all is there."""
    lacks = [] if webdriver else ["python3-selenium"]
    lacks += [
        name
        for name, program in (("chromium", "chromium"), ("chromium-driver", "chromedriver"))
        if not shutil.which(program)
    ]
    return ", ".join(lacks)


class Browser:
    """One Chromium. Use it in a `with`."""

    def __init__(self, width: int = 1280, height: int = 900, scripts: bool = True):
        options = Options()
        options.binary_location = shutil.which("chromium")
        self.profile = tempfile.TemporaryDirectory(prefix="lil-browser-", ignore_cleanup_errors=True)
        for argument in (
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--force-device-scale-factor=1",
            f"--user-data-dir={self.profile.name}",
            "--disable-background-networking",
        ):
            options.add_argument(argument)
        if not scripts:
            options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(service=Service(shutil.which("chromedriver")), options=options)
        self.resize(width, height)
        self.devtools("Page.addScriptToEvaluateOnNewDocument", source=WATCH)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.driver.quit()
        self.profile.cleanup()

    def devtools(self, command: str, **parameters):
        return self.driver.execute_cdp_cmd(command, parameters)

    def resize(self, width: int, height: int = 900):
        self.devtools(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )

    def media(self, kind: str = "", scheme: str = "light"):
        self.devtools(
            "Emulation.setEmulatedMedia", media=kind, features=[{"name": "prefers-color-scheme", "value": scheme}]
        )

    def open(self, path: str, fragment: str = ""):
        self.driver.get("about:blank")
        self.driver.get_log("performance")
        self.url = "file://" + os.path.abspath(path)
        self.driver.get(self.url + fragment)

    def run(self, script: str, *arguments):
        """What a function body returns."""
        return self.driver.execute_script(script, *arguments)

    def settled(self, script: str, *arguments):
        """The same after two frames, when observers and animation frames have had their turn."""
        self.driver.execute_async_script(
            "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 30)));"
        )
        return self.run(script, *arguments)

    def complaints(self) -> list[str]:
        """Console messages, errors, violations of the policy, and requests for anything but the page."""
        found = [f"console: {entry['message']}" for entry in self.driver.get_log("browser")]
        seen = self.run("return window.seen")
        found += [f"violation: {each}" for each in seen["violations"]] + [f"error: {each}" for each in seen["errors"]]
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                url = message["params"]["request"]["url"].split("#")[0]
                if url not in (self.url, "about:blank"):
                    found.append(f"request: {url}")
        return found

    def is_drawn(self, selector: str) -> bool:
        """Whether an element is there and takes up room; works with scripts off."""
        root = self.devtools("DOM.getDocument", depth=0)["root"]["nodeId"]
        node = self.devtools("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        if node == 0:
            return False
        try:
            model = self.devtools("DOM.getBoxModel", nodeId=node)["model"]
        except Exception:  # noqa: BLE001: selenium has no type of its own for "it has no box"
            return False
        return model["width"] > 0 and model["height"] > 0
