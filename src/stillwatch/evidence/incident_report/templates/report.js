(function () {
  "use strict";
  document.documentElement.classList.add("scripted");
  var filter = document.getElementById("filter");
  var rows = Array.prototype.slice.call(document.querySelectorAll("#campaign-table tbody tr"));
  var status = document.getElementById("filter-status");
  if (filter) {
    filter.addEventListener("input", function () {
      var wanted = filter.value.toLowerCase();
      var left = 0;
      rows.forEach(function (row) {
        var hit = row.textContent.toLowerCase().indexOf(wanted) >= 0;
        row.hidden = !hit;
        left += hit ? 1 : 0;
      });
      status.textContent = left + " of " + rows.length + " shown";
    });
  }
  function openTarget() {
    var target = location.hash.length > 1 ? document.getElementById(location.hash.slice(1)) : null;
    for (var at = target; at; at = at.parentElement) {
      if (at.tagName === "DETAILS") { at.open = true; }
    }
    if (target) { target.scrollIntoView(); }
  }
  window.addEventListener("hashchange", openTarget);
  openTarget();
  var all = document.getElementById("open-all");
  if (all) {
    all.addEventListener("click", function () {
      var open = all.getAttribute("aria-pressed") !== "true";
      document.querySelectorAll("details.campaign").forEach(function (one) { one.open = open; });
      all.setAttribute("aria-pressed", String(open));
      all.textContent = open ? "Close all campaigns" : "Open all campaigns";
    });
  }
  window.addEventListener("beforeprint", function () {
    document.querySelectorAll("details").forEach(function (one) { one.open = true; });
  });
}());
