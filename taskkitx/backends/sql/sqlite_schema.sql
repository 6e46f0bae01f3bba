CREATE TABLE taskkitx_attempt (
    task_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    worker_id TEXT,
    began FLOAT,
    ended FLOAT NOT NULL,
    state TEXT NOT NULL,
    kind TEXT NOT NULL,
    message TEXT NOT NULL,
    trace TEXT NOT NULL,
    CONSTRAINT taskkitx_attempt_once UNIQUE (task_id, attempt)
);

CREATE TABLE taskkitx_event (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    sent FLOAT NOT NULL,
    data BLOB NOT NULL
);

CREATE TABLE taskkitx_pause (
    grp TEXT NOT NULL,
    paused INTEGER NOT NULL,
    PRIMARY KEY (grp)
);

CREATE TABLE taskkitx_scheduler (
    name TEXT NOT NULL,
    state BLOB NOT NULL,
    PRIMARY KEY (name)
);

CREATE TABLE taskkitx_task (
    id TEXT NOT NULL,
    grp TEXT NOT NULL,
    name TEXT NOT NULL,
    state INTEGER NOT NULL,
    rank INTEGER DEFAULT 0 NOT NULL,
    due FLOAT NOT NULL,
    created FLOAT NOT NULL,
    scheduled FLOAT,
    ttl FLOAT NOT NULL,
    retry_count INTEGER DEFAULT 0 NOT NULL,
    attempt INTEGER DEFAULT 0 NOT NULL,
    worker_id TEXT,
    claim_seq INTEGER,
    began FLOAT,
    crashes INTEGER DEFAULT 0 NOT NULL,
    lost INTEGER DEFAULT 0 NOT NULL,
    loss TEXT,
    solo INTEGER DEFAULT 0 NOT NULL,
    timeout FLOAT,
    expires FLOAT,
    unique_name TEXT,
    unique_key TEXT,
    unique_until TEXT,
    unique_for FLOAT,
    headers TEXT,
    done FLOAT,
    disposable FLOAT,
    progress TEXT,
    cancel_requested FLOAT,
    cancelled_by TEXT,
    blocked_by INTEGER DEFAULT 0 NOT NULL,
    error TEXT,
    data BLOB NOT NULL,
    result BLOB,
    PRIMARY KEY (id)
);

CREATE INDEX taskkitx_task_claim ON taskkitx_task (grp, rank, due, id) WHERE state = 1;

CREATE INDEX taskkitx_task_failed ON taskkitx_task (id) WHERE state = 7;

CREATE INDEX taskkitx_task_finished ON taskkitx_task (grp, state, disposable) WHERE disposable IS NOT NULL;

CREATE INDEX taskkitx_task_owned ON taskkitx_task (worker_id, claim_seq) WHERE state = 5;

CREATE INDEX taskkitx_task_parked ON taskkitx_task (grp, name, rank, due, id) WHERE state = 3;

CREATE INDEX taskkitx_task_scheduled ON taskkitx_task (grp, due) WHERE state = 0;

CREATE INDEX taskkitx_task_solo ON taskkitx_task (grp, rank, due, id) WHERE state = 2;

CREATE UNIQUE INDEX taskkitx_task_unique ON taskkitx_task (unique_key) WHERE unique_key IS NOT NULL;

CREATE TABLE taskkitx_worker (
    id TEXT NOT NULL,
    instance TEXT NOT NULL,
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    boot_id TEXT NOT NULL,
    pid_namespace TEXT NOT NULL,
    pid_started FLOAT NOT NULL,
    started FLOAT NOT NULL,
    lease_until FLOAT NOT NULL,
    info TEXT NOT NULL,
    PRIMARY KEY (id)
);
