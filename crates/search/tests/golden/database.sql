BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('v3.2.0.a');
CREATE TABLE studies (
	study_id INTEGER NOT NULL, 
	study_name VARCHAR(512) NOT NULL, 
	PRIMARY KEY (study_id)
);
INSERT INTO "studies" VALUES(1,'golden');
INSERT INTO "studies" VALUES(2,'two');
CREATE TABLE study_directions (
	study_direction_id INTEGER NOT NULL, 
	direction VARCHAR(8) NOT NULL, 
	study_id INTEGER NOT NULL, 
	objective INTEGER NOT NULL, 
	PRIMARY KEY (study_direction_id), 
	UNIQUE (study_id, objective), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "study_directions" VALUES(1,'MAXIMIZE',1,0);
INSERT INTO "study_directions" VALUES(2,'MINIMIZE',2,0);
INSERT INTO "study_directions" VALUES(3,'MAXIMIZE',2,1);
CREATE TABLE study_system_attributes (
	study_system_attribute_id INTEGER NOT NULL, 
	study_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (study_system_attribute_id), 
	UNIQUE (study_id, "key"), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
CREATE TABLE study_user_attributes (
	study_user_attribute_id INTEGER NOT NULL, 
	study_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (study_user_attribute_id), 
	UNIQUE (study_id, "key"), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "study_user_attributes" VALUES(1,1,'note','"NaN and \"Infinity\" in a text"');
CREATE TABLE trial_heartbeats (
	trial_heartbeat_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	heartbeat DATETIME NOT NULL, 
	PRIMARY KEY (trial_heartbeat_id), 
	UNIQUE (trial_id), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
CREATE TABLE trial_intermediate_values (
	trial_intermediate_value_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	step INTEGER NOT NULL, 
	intermediate_value FLOAT, 
	intermediate_value_type VARCHAR(7) NOT NULL, 
	PRIMARY KEY (trial_intermediate_value_id), 
	UNIQUE (trial_id, step), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_intermediate_values" VALUES(1,1,0,0.0,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(2,1,1,1.5,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(3,1,2,3.0,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(4,2,0,0.0,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(5,2,1,-1.41297643673154782462e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(6,2,2,-2.82595287346309564924e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(7,3,0,0.0,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(8,3,1,NULL,'NAN');
INSERT INTO "trial_intermediate_values" VALUES(9,3,2,-3.78089925441659069349e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(10,4,0,0.0,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(11,4,1,1.50555660918415323834e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(12,4,2,3.01111321836830647669e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(13,5,0,0.0,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(14,5,1,7.67508455801893418879e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(15,5,2,1.53501691160378683775e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(16,6,0,0.0,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(17,6,1,-1.58709597368943189366e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(18,6,2,-3.17419194737886378732e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(19,7,0,0.0,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(20,7,1,-3.37073628786468404427e-02,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(21,7,2,-6.74147257572936808855e-02,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(22,8,0,0.0,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(23,8,1,-1.8001861642156513632e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(24,8,2,-3.60037232843130272641e+00,'FINITE');
CREATE TABLE trial_params (
	param_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	param_name VARCHAR(512), 
	param_value FLOAT, 
	distribution_json TEXT, 
	PRIMARY KEY (param_id), 
	UNIQUE (trial_id, param_name), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_params" VALUES(1,1,'x',1.5,'{"name": "FloatDistribution", "attributes": {"step": null, "low": -2.0, "high": 2.0, "log": false}}');
INSERT INTO "trial_params" VALUES(2,1,'rate',4.65680463791956554368e-04,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-05, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(3,1,'share',0.75,'{"name": "FloatDistribution", "attributes": {"step": 0.25, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(4,1,'size',8.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 8, "low": 8, "high": 128}}');
INSERT INTO "trial_params" VALUES(5,1,'depth',2.0,'{"name": "IntDistribution", "attributes": {"log": true, "step": 1, "low": 1, "high": 64}}');
INSERT INTO "trial_params" VALUES(6,1,'kind',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["a", "b", null, 3, true]}}');
INSERT INTO "trial_params" VALUES(7,2,'x',-1.41297643673154782462e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": -2.0, "high": 2.0, "log": false}}');
INSERT INTO "trial_params" VALUES(8,2,'rate',2.34074648057675152416e-05,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-05, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(9,2,'share',0.0,'{"name": "FloatDistribution", "attributes": {"step": 0.25, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(10,2,'size',48.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 8, "low": 8, "high": 128}}');
INSERT INTO "trial_params" VALUES(11,2,'depth',3.0,'{"name": "IntDistribution", "attributes": {"log": true, "step": 1, "low": 1, "high": 64}}');
INSERT INTO "trial_params" VALUES(12,2,'kind',4.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["a", "b", null, 3, true]}}');
INSERT INTO "trial_params" VALUES(13,3,'x',-1.89044962720829534674e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": -2.0, "high": 2.0, "log": false}}');
INSERT INTO "trial_params" VALUES(14,3,'rate',4.80695482496159946783e-03,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-05, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(15,3,'share',0.5,'{"name": "FloatDistribution", "attributes": {"step": 0.25, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(16,3,'size',72.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 8, "low": 8, "high": 128}}');
INSERT INTO "trial_params" VALUES(17,3,'depth',1.0,'{"name": "IntDistribution", "attributes": {"log": true, "step": 1, "low": 1, "high": 64}}');
INSERT INTO "trial_params" VALUES(18,3,'kind',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["a", "b", null, 3, true]}}');
INSERT INTO "trial_params" VALUES(19,4,'x',1.50555660918415323834e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": -2.0, "high": 2.0, "log": false}}');
INSERT INTO "trial_params" VALUES(20,4,'rate',3.78814552109711932814e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-05, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(21,4,'share',0.0,'{"name": "FloatDistribution", "attributes": {"step": 0.25, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(22,4,'size',8.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 8, "low": 8, "high": 128}}');
INSERT INTO "trial_params" VALUES(23,4,'depth',1.0,'{"name": "IntDistribution", "attributes": {"log": true, "step": 1, "low": 1, "high": 64}}');
INSERT INTO "trial_params" VALUES(24,4,'kind',3.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["a", "b", null, 3, true]}}');
INSERT INTO "trial_params" VALUES(25,5,'x',7.67508455801893418879e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": -2.0, "high": 2.0, "log": false}}');
INSERT INTO "trial_params" VALUES(26,5,'rate',1.82836342098445324812e-04,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-05, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(27,5,'share',0.75,'{"name": "FloatDistribution", "attributes": {"step": 0.25, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(28,5,'size',112.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 8, "low": 8, "high": 128}}');
INSERT INTO "trial_params" VALUES(29,5,'depth',1.0,'{"name": "IntDistribution", "attributes": {"log": true, "step": 1, "low": 1, "high": 64}}');
INSERT INTO "trial_params" VALUES(30,5,'kind',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["a", "b", null, 3, true]}}');
INSERT INTO "trial_params" VALUES(31,6,'x',-1.58709597368943189366e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": -2.0, "high": 2.0, "log": false}}');
INSERT INTO "trial_params" VALUES(32,6,'rate',6.18833911651752517808e-04,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-05, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(33,6,'share',1.0,'{"name": "FloatDistribution", "attributes": {"step": 0.25, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(34,6,'size',40.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 8, "low": 8, "high": 128}}');
INSERT INTO "trial_params" VALUES(35,6,'depth',2.0,'{"name": "IntDistribution", "attributes": {"log": true, "step": 1, "low": 1, "high": 64}}');
INSERT INTO "trial_params" VALUES(36,6,'kind',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["a", "b", null, 3, true]}}');
INSERT INTO "trial_params" VALUES(37,7,'x',-3.37073628786468404427e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": -2.0, "high": 2.0, "log": false}}');
INSERT INTO "trial_params" VALUES(38,7,'rate',1.63474561263767687868e-05,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-05, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(39,7,'share',0.5,'{"name": "FloatDistribution", "attributes": {"step": 0.25, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(40,7,'size',24.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 8, "low": 8, "high": 128}}');
INSERT INTO "trial_params" VALUES(41,7,'depth',9.0,'{"name": "IntDistribution", "attributes": {"log": true, "step": 1, "low": 1, "high": 64}}');
INSERT INTO "trial_params" VALUES(42,7,'kind',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["a", "b", null, 3, true]}}');
INSERT INTO "trial_params" VALUES(43,8,'x',-1.8001861642156513632e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": -2.0, "high": 2.0, "log": false}}');
INSERT INTO "trial_params" VALUES(44,8,'rate',1.39182817474848056181e-03,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-05, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(45,8,'share',0.75,'{"name": "FloatDistribution", "attributes": {"step": 0.25, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(46,8,'size',72.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 8, "low": 8, "high": 128}}');
INSERT INTO "trial_params" VALUES(47,8,'depth',49.0,'{"name": "IntDistribution", "attributes": {"log": true, "step": 1, "low": 1, "high": 64}}');
INSERT INTO "trial_params" VALUES(48,8,'kind',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["a", "b", null, 3, true]}}');
INSERT INTO "trial_params" VALUES(49,11,'y',3.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 9}}');
CREATE TABLE trial_system_attributes (
	trial_system_attribute_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (trial_system_attribute_id), 
	UNIQUE (trial_id, "key"), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_system_attributes" VALUES(1,1,'fixed_params','{"x": 1.5, "kind": "b"}');
INSERT INTO "trial_system_attributes" VALUES(2,10,'fixed_params','{"x": 0.5}');
CREATE TABLE trial_user_attributes (
	trial_user_attribute_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (trial_user_attribute_id), 
	UNIQUE (trial_id, "key"), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_user_attributes" VALUES(1,1,'double','3.0');
INSERT INTO "trial_user_attributes" VALUES(2,2,'double','-2.8259528734630956');
INSERT INTO "trial_user_attributes" VALUES(3,3,'double','-3.7808992544165907');
INSERT INTO "trial_user_attributes" VALUES(4,4,'double','3.0111132183683065');
INSERT INTO "trial_user_attributes" VALUES(5,5,'double','1.5350169116037868');
INSERT INTO "trial_user_attributes" VALUES(6,6,'double','-3.174191947378864');
INSERT INTO "trial_user_attributes" VALUES(7,7,'double','-0.06741472575729368');
INSERT INTO "trial_user_attributes" VALUES(8,8,'double','-3.6003723284313027');
CREATE TABLE trial_values (
	trial_value_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	objective INTEGER NOT NULL, 
	value FLOAT, 
	value_type VARCHAR(7) NOT NULL, 
	PRIMARY KEY (trial_value_id), 
	UNIQUE (trial_id, objective), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_values" VALUES(1,1,0,2.17046568046379206862e+00,'FINITE');
INSERT INTO "trial_values" VALUES(2,2,0,-1.89295302926674202659e+00,'FINITE');
INSERT INTO "trial_values" VALUES(3,3,0,NULL,'INF_POS');
INSERT INTO "trial_values" VALUES(4,4,0,3.01111321836830647669e+00,'FINITE');
INSERT INTO "trial_values" VALUES(5,6,0,NULL,'INF_POS');
INSERT INTO "trial_values" VALUES(6,7,0,2.26308984577479554989e-01,'FINITE');
INSERT INTO "trial_values" VALUES(7,8,0,-1.76879433604090285925e+00,'FINITE');
INSERT INTO "trial_values" VALUES(8,11,0,1.0,'FINITE');
INSERT INTO "trial_values" VALUES(9,11,1,2.0,'FINITE');
CREATE TABLE trials (
	trial_id INTEGER NOT NULL, 
	number INTEGER, 
	study_id INTEGER, 
	state VARCHAR(8) NOT NULL, 
	datetime_start DATETIME, 
	datetime_complete DATETIME, 
	PRIMARY KEY (trial_id), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "trials" VALUES(1,0,1,'COMPLETE','2026-01-02 03:04:05.678901','2026-01-02 03:04:05.678901');
INSERT INTO "trials" VALUES(2,1,1,'COMPLETE','2026-01-02 03:04:05.678901','2026-01-02 03:04:05.678901');
INSERT INTO "trials" VALUES(3,2,1,'COMPLETE','2026-01-02 03:04:05.678901','2026-01-02 03:04:05.678901');
INSERT INTO "trials" VALUES(4,3,1,'PRUNED','2026-01-02 03:04:05.678901','2026-01-02 03:04:05.678901');
INSERT INTO "trials" VALUES(5,4,1,'FAIL','2026-01-02 03:04:05.678901','2026-01-02 03:04:05.678901');
INSERT INTO "trials" VALUES(6,5,1,'COMPLETE','2026-01-02 03:04:05.678901','2026-01-02 03:04:05.678901');
INSERT INTO "trials" VALUES(7,6,1,'COMPLETE','2026-01-02 03:04:05.678901','2026-01-02 03:04:05.678901');
INSERT INTO "trials" VALUES(8,7,1,'COMPLETE','2026-01-02 03:04:05.678901','2026-01-02 03:04:05.678901');
INSERT INTO "trials" VALUES(9,8,1,'RUNNING','2026-01-02 03:04:05.678901',NULL);
INSERT INTO "trials" VALUES(10,9,1,'WAITING',NULL,NULL);
INSERT INTO "trials" VALUES(11,0,2,'COMPLETE','2026-01-02 03:04:05.678901','2026-01-02 03:04:05.678901');
CREATE TABLE version_info (
	version_info_id INTEGER NOT NULL, 
	schema_version INTEGER, 
	library_version VARCHAR(256), 
	PRIMARY KEY (version_info_id), 
	CHECK (version_info_id=1)
);
INSERT INTO "version_info" VALUES(1,12,'5.0.0');
CREATE UNIQUE INDEX ix_studies_study_name ON studies (study_name);
CREATE INDEX ix_trials_study_id ON trials (study_id);
COMMIT;
