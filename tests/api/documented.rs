//! The OpenAPI document: the same served and printed, and every route of the contract is in it and answers.

use anyhow::{Context as _, Result};
use mitalk_tests::server::{Server, mitalk};
use reqwest::Method;
use serde_json::Value;
use std::collections::BTreeSet;

/// Every route of `/v1`, as agreed.
const ROUTES: [(&str, &str); 55] = [
    ("post", "/v1/auth/code"),
    ("post", "/v1/auth/verify"),
    ("post", "/v1/auth/refresh"),
    ("post", "/v1/auth/sign-out"),
    ("get", "/v1/me"),
    ("patch", "/v1/me/profile"),
    ("put", "/v1/me/handle"),
    ("post", "/v1/me/number/code"),
    ("put", "/v1/me/number"),
    ("get", "/v1/me/export"),
    ("put", "/v1/me/deletion"),
    ("delete", "/v1/me/deletion"),
    ("get", "/v1/me/devices"),
    ("delete", "/v1/me/devices/{id}"),
    ("put", "/v1/me/push"),
    ("delete", "/v1/me/push"),
    ("get", "/v1/me/notice-settings"),
    ("put", "/v1/me/notice-settings"),
    ("get", "/v1/push"),
    ("get", "/v1/users/{id}"),
    ("get", "/v1/handles/{handle}"),
    ("put", "/v1/users/{id}/follow"),
    ("delete", "/v1/users/{id}/follow"),
    ("get", "/v1/users/{id}/followers"),
    ("get", "/v1/users/{id}/following"),
    ("post", "/v1/invites"),
    ("get", "/v1/invites"),
    ("delete", "/v1/invites/{id}"),
    ("get", "/v1/invite-links/{code}"),
    ("post", "/v1/invite-links/{code}/accept"),
    ("get", "/v1/hallway"),
    ("post", "/v1/rooms"),
    ("get", "/v1/rooms/{room}"),
    ("patch", "/v1/rooms/{room}"),
    ("post", "/v1/rooms/{room}/join"),
    ("post", "/v1/rooms/{room}/sessions/{session}/ice"),
    ("post", "/v1/rooms/{room}/leave"),
    ("put", "/v1/rooms/{room}/hand"),
    ("delete", "/v1/rooms/{room}/hand"),
    ("post", "/v1/rooms/{room}/hands/{user}"),
    ("post", "/v1/rooms/{room}/stage"),
    ("delete", "/v1/rooms/{room}/stage"),
    ("put", "/v1/rooms/{room}/mute"),
    ("post", "/v1/rooms/{room}/members/{user}"),
    ("get", "/v1/rooms/{room}/roster"),
    ("post", "/v1/rooms/{room}/ping/{user}"),
    ("post", "/v1/rooms/{room}/end"),
    ("post", "/v1/rooms/{room}/link"),
    ("get", "/v1/notices"),
    ("put", "/v1/notices/read"),
    ("get", "/v1/live"),
    ("get", "/v1/service"),
    ("post", "/v1/sms/receipts"),
    ("post", "/v1/sms/receipts/{token}"),
    ("get", "/openapi.json"),
];

#[tokio::test]
async fn the_document_has_every_route_and_every_route_is_there() -> Result<()> {
    let server = Server::open(&[]).await?;
    let request = server.client.request(Method::GET, &["openapi.json"]);
    let document: Value = request.send().await?.error_for_status()?.json().await?;
    assert!(
        document["openapi"]
            .as_str()
            .is_some_and(|version| version.starts_with("3.1."))
    );
    let mut documented = BTreeSet::new();
    for (path, item) in document["paths"].as_object().context("paths")? {
        documented.extend(
            item.as_object()
                .context("an item")?
                .keys()
                .map(|method| (method.clone(), path.clone())),
        );
    }
    let agreed: BTreeSet<_> = ROUTES
        .iter()
        .map(|(method, path)| ((*method).to_owned(), (*path).to_owned()))
        .collect();
    assert_eq!(documented, agreed);

    for (method, path) in &documented {
        let filled = path.replace(['{', '}'], "");
        let segments: Vec<&str> = filled.trim_start_matches('/').split('/').collect();
        let response = server
            .client
            .request(method.to_uppercase().parse()?, &segments)
            .send()
            .await?;
        let body = response.text().await?;
        let code = serde_json::from_str::<Value>(&body)
            .ok()
            .and_then(|body| Some(body.get("code")?.as_str()?.to_owned()));
        // Whatever a route says without a token and with an empty body, it is not that it does not exist.
        let missing = ["not_found", "method_not_allowed"].map(str::to_owned);
        assert!(
            code.is_none_or(|code| !missing.contains(&code)),
            "{method} {path}: {body}"
        );
    }
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn the_printed_document_is_the_served_one() -> Result<()> {
    let server = Server::open(&[]).await?;
    let served: Value = server
        .client
        .request(Method::GET, &["openapi.json"])
        .send()
        .await?
        .json()
        .await?;
    let printed = mitalk(server.directory.path()).arg("openapi").output().await?;
    assert!(printed.status.success());
    assert_eq!(serde_json::from_slice::<Value>(&printed.stdout)?, served);
    for schema in ["Problem", "ClientMessage", "ServerMessage", "RoomSnapshot", "Me"] {
        assert!(served["components"]["schemas"][schema].is_object(), "{schema}");
    }
    server.stop().await?;
    Ok(())
}
