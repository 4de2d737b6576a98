use super::*;

fn definition(body: Value) -> TaskDefinition {
    let Value::Object(body) = body else {
        panic!("a definition is an object")
    };
    TaskDefinition {
        body,
        tags: Vec::new(),
    }
}

/// The task definition of a service, with fields that no SDK knows.
fn web() -> TaskDefinition {
    definition(json!({
        "taskDefinitionArn": "arn:aws:ecs:eu-west-1:210987654321:task-definition/web:42",
        "revision": 42,
        "status": "ACTIVE",
        "requiresAttributes": [{"name": "ecs.capability.execution-role-awslogs"}],
        "compatibilities": ["EC2"],
        "registeredAt": 1_700_000_000.5,
        "registeredBy": "arn:aws:iam::210987654321:user/ann",
        "deregisteredAt": 1_700_000_001,
        "deleteRequestedAt": 1_700_000_002,
        "family": "web",
        "taskRoleArn": "arn:aws:iam::210987654321:role/web",
        "executionRoleArn": "arn:aws:iam::210987654321:role/execution",
        "volumes": [{"name": "scratch", "host": {}}],
        "runtimePlatform": {"cpuArchitecture": "ARM64"},
        "fieldOfTomorrow": {"deep": [1, {"er": null}]},
        "containerDefinitions": [
            {"name": "proxy", "image": "proxy:1", "essential": false, "memory": 64,
             "logConfiguration": {"logDriver": "fluentd"}},
            {"name": "app", "image": "web:1", "memory": 400, "memoryReservation": 300,
             "entryPoint": ["sh", "-c"], "command": ["serve"],
             "environment": [{"name": "MODE", "value": "web"}],
             "secrets": [{"name": "DB", "valueFrom": "/web/db"}],
             "optionOfTomorrow": true,
             "portMappings": [{"containerPort": 80, "hostPort": 80}, {"containerPort": 81, "hostPort": 0}],
             "logConfiguration": {"logDriver": "awslogs", "options": {
                "awslogs-group": "/web", "awslogs-region": "us-east-1", "awslogs-create-group": "true",
                "awslogs-multiline-pattern": "^\\d"}}},
            {"name": "sidecar", "image": "s:1",
             "logConfiguration": {"logDriver": "awslogs", "options": {
                "awslogs-group": "/side", "awslogs-region": "us-east-1", "mode": "non-blocking"}}},
        ],
    }))
}

fn migrate() -> Changes {
    Changes {
        family: "web-migrate".to_owned(),
        container: None,
        image: Some("web:2".to_owned()),
        command: vec!["rake".to_owned(), "db:migrate".to_owned()],
        entry_point: None,
        environment: Vec::new(),
        cpu: None,
        memory: None,
        task_role: TaskRole::OfReference,
        tags: Vec::new(),
        host: LaunchTarget::Instance,
        logs: LogGroup {
            name: "/ecs/web-migrate".to_owned(),
            region: "eu-west-1".to_owned(),
            prefix: "ecs".to_owned(),
        },
    }
}

fn body(copy: &ClonedDefinition) -> Value {
    Value::Object(copy.body.clone())
}

fn has_note(copy: &ClonedDefinition, mark: &str) -> bool {
    copy.notes.iter().any(|note| note.contains(mark))
}

#[test]
fn everything_but_the_read_only_fields_is_copied() {
    let copy = clone(&web(), &migrate()).unwrap();
    let mut expected = Value::Object(web().body);
    for field in READ_ONLY {
        expected.as_object_mut().unwrap().remove(field).unwrap();
    }
    expected["family"] = json!("web-migrate");
    let app = &mut expected["containerDefinitions"][1];
    app["image"] = json!("web:2");
    app["command"] = json!(["rake", "db:migrate"]);
    app.as_object_mut().unwrap().remove("entryPoint");
    app["portMappings"] = json!([{"containerPort": 80}, {"containerPort": 81}]);
    app["logConfiguration"]["options"] = json!({
        "awslogs-group": "/ecs/web-migrate",
        "awslogs-region": "eu-west-1",
        "awslogs-stream-prefix": "ecs",
        "awslogs-multiline-pattern": "^\\d",
        "mode": "blocking",
    });
    expected["containerDefinitions"][2]["logConfiguration"]["options"] = json!({
        "awslogs-group": "/ecs/web-migrate",
        "awslogs-region": "eu-west-1",
        "awslogs-stream-prefix": "ecs",
        "mode": "non-blocking",
    });
    assert_eq!(body(&copy), expected);
    assert_eq!(copy.container, "app", "the first essential one");
    assert!(
        has_note(&copy, "entry point `sh -c`")
            && has_note(&copy, "host ports of the reference are left out: 80")
    );
    assert_eq!(copy.notes.len(), 2);
}

#[test]
fn fargate_has_one_network_and_task_sizes() {
    let mut reference = web();
    let constraint = json!([{"type": "memberOf", "expression": "attribute:x == y"}]);
    reference
        .body
        .insert("networkMode".to_owned(), json!("bridge"));
    reference
        .body
        .insert("placementConstraints".to_owned(), constraint);
    reference.body.insert("memory".to_owned(), json!("1024"));
    let copy = clone(
        &reference,
        &Changes {
            host: LaunchTarget::Fargate,
            ..migrate()
        },
    )
    .unwrap();
    assert_eq!(copy.body["networkMode"], "awsvpc");
    assert_eq!(copy.body["requiresCompatibilities"], json!(["FARGATE"]));
    assert_eq!(
        (&copy.body["cpu"], &copy.body["memory"]),
        (&json!("256"), &json!("1024"))
    );
    assert!(!copy.body.contains_key("placementConstraints"));
    assert!(
        has_note(&copy, "instead of the reference's `bridge`")
            && has_note(&copy, "placement constraints")
    );
    assert_eq!(
        copy.body["containerDefinitions"][1]["portMappings"][0]["hostPort"], 80,
        "each task has its own network"
    );
}

#[test]
fn a_fargate_definition_can_run_on_an_instance() {
    let mut reference = web();
    for (field, value) in [
        ("networkMode", json!("awsvpc")),
        ("requiresCompatibilities", json!(["FARGATE"])),
        ("ephemeralStorage", json!({"sizeInGiB": 40})),
    ] {
        reference.body.insert(field.to_owned(), value);
    }
    let copy = clone(&reference, &migrate()).unwrap();
    for gone in ["networkMode", "requiresCompatibilities", "ephemeralStorage"] {
        assert!(!copy.body.contains_key(gone), "{gone}");
    }
    assert!(has_note(&copy, "`awsvpc`") && has_note(&copy, "ephemeral storage"));
    let networks = Changes {
        host: LaunchTarget::InstanceWithNetwork,
        ..migrate()
    };
    let copy = clone(&reference, &networks).unwrap();
    assert_eq!(copy.body["networkMode"], "awsvpc");
}

#[test]
fn no_ports_are_left_in_the_host_network() {
    let mut reference = web();
    reference
        .body
        .insert("networkMode".to_owned(), json!("host"));
    let copy = clone(&reference, &migrate()).unwrap();
    assert_eq!(
        copy.body["containerDefinitions"][1].get("portMappings"),
        None
    );
    assert!(has_note(&copy, "80"));
}

#[test]
fn a_variable_replaces_another_or_a_secret() {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let environment = vec![
        pair("MODE", "once"),
        pair("DB", "local"),
        pair("NEW", "a=b"),
    ];
    let copy = clone(
        &web(),
        &Changes {
            environment,
            ..migrate()
        },
    )
    .unwrap();
    let app = &copy.body["containerDefinitions"][1];
    let expected = json!([
        {"name": "MODE", "value": "once"},
        {"name": "DB", "value": "local"},
        {"name": "NEW", "value": "a=b"},
    ]);
    assert_eq!(app["environment"], expected);
    assert_eq!(app["secrets"], json!([]));
    assert!(has_note(&copy, "`DB` has the given value"));
}

#[test]
fn sizes_of_the_task_or_of_the_container() {
    let sizes = |memory: &str| Changes {
        cpu: Some("512".to_owned()),
        memory: Some(memory.to_owned()),
        ..migrate()
    };
    let copy = clone(&web(), &sizes("256")).unwrap();
    let app = &copy.body["containerDefinitions"][1];
    assert_eq!((&app["cpu"], &app["memory"]), (&json!(512), &json!(256)));
    assert_eq!(app.get("memoryReservation"), None, "no more than the limit");
    assert!(!copy.body.contains_key("memory"));

    let on_fargate = Changes {
        host: LaunchTarget::Fargate,
        ..sizes("2048")
    };
    let copy = clone(&web(), &on_fargate).unwrap();
    assert_eq!(
        (&copy.body["cpu"], &copy.body["memory"]),
        (&json!("512"), &json!("2048"))
    );
    let app = &copy.body["containerDefinitions"][1];
    assert_eq!(app.get("memory"), None, "it may use what the task has");

    let wrong = clone(&web(), &sizes("1GB"));
    assert_eq!(wrong.err(), Some(CloneError::Memory("1GB".to_owned())));
}

#[test]
fn another_container_or_role_or_log_driver() {
    let changes = Changes {
        container: Some("proxy".to_owned()),
        entry_point: Some(vec!["bash".to_owned(), "-c".to_owned()]),
        task_role: TaskRole::None,
        ..migrate()
    };
    let copy = clone(&web(), &changes).unwrap();
    let proxy = &copy.body["containerDefinitions"][0];
    assert_eq!(proxy["entryPoint"], json!(["bash", "-c"]));
    assert_eq!(proxy["logConfiguration"]["logDriver"], "awslogs");
    assert!(has_note(&copy, "instead of the reference's `fluentd`"));
    assert!(!copy.body.contains_key("taskRoleArn"));
    assert_eq!(
        copy.body["executionRoleArn"],
        web().body["executionRoleArn"]
    );

    let role = "arn:aws:iam::210987654321:role/other";
    let changes = Changes {
        task_role: TaskRole::Other(role.to_owned()),
        ..migrate()
    };
    assert_eq!(clone(&web(), &changes).unwrap().body["taskRoleArn"], role);
}

/// With a container that is restarted or not essential, the task would never end.
#[test]
fn the_chosen_container_runs_once() {
    let mut reference = web();
    reference.body["containerDefinitions"][0]["restartPolicy"] = json!({"enabled": true});
    let changes = Changes {
        container: Some("proxy".to_owned()),
        ..migrate()
    };
    let copy = clone(&reference, &changes).unwrap();
    let proxy = &copy.body["containerDefinitions"][0];
    assert_eq!(proxy["essential"], true);
    assert_eq!(proxy.get("restartPolicy"), None);
    assert!(
        has_note(&copy, "`proxy` is essential in the copy")
            && has_note(&copy, "`proxy` is not restarted")
    );
}

#[test]
fn tags_are_copied_without_those_of_aws() {
    let tag = |key: &str, value: &str| json!({"key": key, "value": value});
    let mut reference = web();
    reference.tags = vec![
        tag("team", "blue"),
        tag("aws:cloudformation:stack-id", "x"),
        tag("env", "prod"),
    ];
    let tags = vec![("team".to_owned(), "red".to_owned())];
    let copy = clone(&reference, &Changes { tags, ..migrate() }).unwrap();
    assert_eq!(
        copy.body["tags"],
        json!([tag("env", "prod"), tag("team", "red")])
    );
    assert!(!copy.without_tags().contains_key("tags"));
    let untagged = clone(&web(), &migrate()).unwrap();
    assert!(
        !untagged.body.contains_key("tags"),
        "an empty list is not accepted"
    );
}

#[test]
fn a_container_that_does_not_exist() {
    let changes = Changes {
        container: Some("ap".to_owned()),
        ..migrate()
    };
    let error = clone(&web(), &changes).err().unwrap().to_string();
    assert_eq!(
        error,
        "`web` has no container `ap`; its containers: proxy, app, sidecar"
    );
    let empty = definition(json!({"family": "empty", "containerDefinitions": []}));
    let error = clone(&empty, &migrate()).err().unwrap().to_string();
    assert_eq!(error, "`empty` has no containers");
}
